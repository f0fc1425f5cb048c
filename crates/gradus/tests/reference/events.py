"""A reference event record, by TensorBoard's own writer. Writes events.json
beside itself.

Run with any Python that has tensorboard:
    python events.py
"""

import io
import json
import pathlib

import tensorboard
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class Kept(io.BytesIO):
    def close(self):
        self.kept = self.getvalue()
        super().close()


def record(event):
    out = Kept()
    writer = RecordWriter(out)
    writer.write(event.SerializeToString())
    writer.close()
    return out.kept.hex()


values = [
    Summary.Value(tag="cosine/loss", simple_value=0.4375),
    Summary.Value(tag="cosine/learning_rate", simple_value=2e-05),
]
written = {
    "tensorboard": tensorboard.__version__,
    "version": record(Event(wall_time=1700000000.5, file_version="brain.Event:2")),
    "start": record(Event(wall_time=1700000000.5, session_log=SessionLog(status=SessionLog.START))),
    "scalars": record(Event(wall_time=1700000000.5, step=300, summary=Summary(value=values))),
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(written, indent=1) + "\n")
