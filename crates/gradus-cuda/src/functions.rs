//! The driver's functions by which kernels run, bound by name.

use crate::CudaError;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::path::Path;

/// What the driver returns: 0 for success.
pub(crate) type Status = c_int;
/// An address in a card's memory.
pub(crate) type Address = u64;
/// A context, stream, event, module or function: the driver's own.
pub(crate) type Handle = *mut c_void;

macro_rules! functions {
    ($($(#[$doc:meta])* $field:ident = $name:literal ($($type:ty),*);)*) => {
        /// Those that are used.
        #[allow(missing_docs, reason = "each is the driver's of that name")]
        pub(crate) struct Functions {
            $($(#[$doc])* pub $field: unsafe extern "C" fn($($type),*) -> Status,)*
        }

        impl Functions {
            /// Looks all of them up.
            #[allow(unsafe_code, reason = "a foreign library")]
            pub fn of(library: &libloading::Library, path: &Path) -> Result<Self, CudaError> {
                $(
                    // SAFETY: the type is that of CUDA's driver API for this name, which is
                    // stable; the library stays open as long as these are used.
                    let $field = unsafe { library.get($name.as_bytes()) };
                    let $field = *$field.map_err(|_| CudaError::NoFunction {
                        path: path.to_path_buf(),
                        function: $name,
                    })?;
                )*
                Ok(Self { $($field),* })
            }
        }
    };
}

functions! {
    error_string = "cuGetErrorString"(Status, *mut *const c_char);
    retain_context = "cuDevicePrimaryCtxRetain"(*mut Handle, c_int);
    set_context = "cuCtxSetCurrent"(Handle);
    memory_left = "cuMemGetInfo_v2"(*mut usize, *mut usize);
    allocate = "cuMemAlloc_v2"(*mut Address, usize);
    free = "cuMemFree_v2"(Address);
    allocate_host = "cuMemHostAlloc"(*mut *mut c_void, usize, c_uint);
    free_host = "cuMemFreeHost"(*mut c_void);
    copy_to_card = "cuMemcpyHtoDAsync_v2"(Address, *const c_void, usize, Handle);
    copy_to_host = "cuMemcpyDtoHAsync_v2"(*mut c_void, Address, usize, Handle);
    copy_within = "cuMemcpyDtoDAsync_v2"(Address, Address, usize, Handle);
    fill = "cuMemsetD8Async"(Address, u8, usize, Handle);
    create_stream = "cuStreamCreate"(*mut Handle, c_uint);
    destroy_stream = "cuStreamDestroy_v2"(Handle);
    synchronize = "cuStreamSynchronize"(Handle);
    create_event = "cuEventCreate"(*mut Handle, c_uint);
    destroy_event = "cuEventDestroy_v2"(Handle);
    record_event = "cuEventRecord"(Handle, Handle);
    query_event = "cuEventQuery"(Handle);
    synchronize_event = "cuEventSynchronize"(Handle);
    elapsed = "cuEventElapsedTime"(*mut f32, Handle, Handle);
    begin_recording = "cuStreamBeginCapture_v2"(Handle, c_uint);
    end_recording = "cuStreamEndCapture"(Handle, *mut Handle);
    make_ready = "cuGraphInstantiateWithFlags"(*mut Handle, Handle, u64);
    forget_graph = "cuGraphDestroy"(Handle);
    launch_graph = "cuGraphLaunch"(Handle, Handle);
    forget_ready = "cuGraphExecDestroy"(Handle);
    load_module = "cuModuleLoadData"(*mut Handle, *const c_void);
    function_of = "cuModuleGetFunction"(*mut Handle, Handle, *const c_char);
    launch = "cuLaunchKernel"(
        Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle,
        *mut *mut c_void, *mut *mut c_void
    );
}
