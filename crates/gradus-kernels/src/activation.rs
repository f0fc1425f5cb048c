/// The pointwise functions of the supported encoders and dense modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The input itself.
    Identity,
    /// `x * Phi(x)` with the exact normal distribution function.
    Gelu,
    /// GELU's tanh approximation (Hendrycks & Gimpel 2016), called `gelu_new`
    /// and `gelu_pytorch_tanh` in configurations.
    GeluTanh,
    /// `max(0, x)`.
    Relu,
    /// `x / (1 + e^-x)` (Elfwing et al. 2018), called `silu` and `swish`.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
}

/// Where the gate lies in the output of a gated layer's first matrix, beside
/// what it is multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateOrder {
    /// Gate, then up.
    GateFirst,
    /// Up, then gate.
    UpFirst,
}

impl Activation {
    /// The activation that a Hugging Face configuration calls `name`.
    pub fn from_config_name(name: &str) -> Option<Self> {
        Some(match name {
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Self::GeluTanh,
            "relu" => Self::Relu,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            "linear" | "identity" => Self::Identity,
            _ => return None,
        })
    }
}
