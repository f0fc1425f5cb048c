//! What is of one device or of the other, and how an operation takes what is its device's.

use gradus_cuda::Cuda;
use gradus_kernels::Backend;
use gradus_kernels::cpu::Cpu;

/// Something of the processor's or of a card's.
pub enum On<P, C> {
    /// The processor's.
    Cpu(P),
    /// A card's.
    Cuda(C),
}

/// What one device made came to the other.
#[cold]
fn mixed() -> ! {
    unreachable!("what one device made is never brought to another")
}

macro_rules! side {
    ($side:ident, $device:ident, $own:ident) => {
        /// Takes what is this device's, and puts it.
        pub(super) mod $side {
            use super::super::Compute;
            use super::{Backend, On, mixed, $device};
            use gradus_kernels::{AttentionInput, LayerNormOutput, LayerNormSaved, RowDropout};

            pub trait Own {
                type Own;
                fn own(self) -> Self::Own;
            }

            impl<P, C> Own for On<P, C> {
                type Own = $own;
                fn own(self) -> Self::Own {
                    match self {
                        On::$device(own) => own,
                        _ => mixed(),
                    }
                }
            }

            impl<'a, P, C> Own for &'a On<P, C> {
                type Own = &'a $own;
                fn own(self) -> Self::Own {
                    match self {
                        On::$device(own) => own,
                        _ => mixed(),
                    }
                }
            }

            impl<'a, P, C> Own for &'a mut On<P, C> {
                type Own = &'a mut $own;
                fn own(self) -> Self::Own {
                    match self {
                        On::$device(own) => own,
                        _ => mixed(),
                    }
                }
            }

            impl<T: Own> Own for Option<T> {
                type Own = Option<T::Own>;
                fn own(self) -> Self::Own {
                    self.map(Own::own)
                }
            }

            impl<T: Own> Own for LayerNormSaved<T> {
                type Own = LayerNormSaved<T::Own>;
                fn own(self) -> Self::Own {
                    LayerNormSaved {
                        normalized: self.normalized.own(),
                        inverse_deviation: self.inverse_deviation.own(),
                    }
                }
            }

            impl<'a> Own for RowDropout<'a, Compute> {
                type Own = RowDropout<'a, $device>;
                fn own(self) -> Self::Own {
                    RowDropout {
                        batch: self.batch.own(),
                        dropout: self.dropout,
                    }
                }
            }

            impl<'a> Own for AttentionInput<'a, Compute> {
                type Own = AttentionInput<'a, $device>;
                fn own(self) -> Self::Own {
                    AttentionInput {
                        qkv: self.qkv.own(),
                        batch: self.batch.own(),
                        bias: self.bias.own(),
                        dropout: self.dropout,
                    }
                }
            }

            pub fn put<P, C>(own: $own) -> On<P, C> {
                On::$device(own)
            }

            type Tensor = <Compute as Backend>::Tensor;

            pub fn put_saved(
                own: LayerNormSaved<<$device as Backend>::Tensor>,
            ) -> LayerNormSaved<Tensor> {
                LayerNormSaved {
                    normalized: On::$device(own.normalized),
                    inverse_deviation: On::$device(own.inverse_deviation),
                }
            }

            pub fn put_normed(
                own: LayerNormOutput<<$device as Backend>::Tensor>,
            ) -> LayerNormOutput<Tensor> {
                LayerNormOutput {
                    out: On::$device(own.out),
                    saved: put_saved(own.saved),
                }
            }
        }
    };
}
side!(on_cpu, Cpu, P);
side!(on_cuda, Cuda, C);

/// Does something on the device that there is: `own` takes what is its, `put` gives it back.
macro_rules! on {
    ($self:ident, $device:ident => $body:expr) => {
        match $self {
            Compute::Cpu($device, _) => {
                #[allow(unused_imports)]
                use on_cpu::*;
                $body
            }
            Compute::Cuda($device) => {
                #[allow(unused_imports)]
                use on_cuda::*;
                $body
            }
        }
    };
}
pub(super) use on;
