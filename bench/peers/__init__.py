"""The jobs of `peers.py`: gradus beside OpenVINO, PyTorch and sentence-transformers."""
