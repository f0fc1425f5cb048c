//! Values that go to a card and come from it as they lie in memory.

/// A number, or a structure of numbers in C's order.
///
/// # Safety
/// A value has no gaps, and any bytes are a value.
#[allow(unsafe_code, reason = "a promise about layout")]
pub(crate) unsafe trait Plain: Copy {}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        // SAFETY: numbers have no gaps, and any bytes are one.
        #[allow(unsafe_code, reason = "as the trait says")]
        unsafe impl Plain for $number {}
    )*};
}
numbers!(u8, u16, u32, u64, i32, f32, f64);

/// Declares structures as kernels take them, which the compiler checks for gaps.
macro_rules! plain {
    ($($(#[$doc:meta])* $visible:vis struct $name:ident {
        $($field_visible:vis $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Default)]
        $visible struct $name { $($field_visible $field: $type,)* }

        const _: () = {
            const fn number<T: $crate::stream::plain::Plain>() -> usize {
                size_of::<T>()
            }
            assert!(size_of::<$name>() == 0 $(+ number::<$type>())*, "a structure with gaps");
        };
        // SAFETY: fields are plain, and so long together as the structure.
        #[allow(unsafe_code, reason = "as the trait says")]
        unsafe impl $crate::stream::plain::Plain for $name {}
    )*};
}
pub(crate) use plain;

/// Values as bytes.
#[allow(unsafe_code, reason = "values as bytes")]
pub(crate) fn bytes<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: they have no gaps.
    unsafe {
        std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), std::mem::size_of_val(values))
    }
}

/// A value's bytes.
pub(crate) fn of<T: Plain>(value: &T) -> &[u8] {
    bytes(std::slice::from_ref(value))
}
