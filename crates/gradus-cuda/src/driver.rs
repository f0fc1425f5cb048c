//! The driver's functions that are needed to see cards, bound by name.

use crate::CudaError;
use crate::functions::Functions;
use libloading::Library;
use std::ffi::{CStr, c_char, c_int, c_uint};
use std::path::{Path, PathBuf};
use std::ptr;

/// What the driver returns: 0 for success.
type Status = c_int;

/// Where the driver's library is, where the loader does not know: in Windows' Linux.
const ELSEWHERE: [&str; 1] = ["/usr/lib/wsl/lib/libcuda.so.1"];

/// What an attribute of a card is called by.
#[derive(Clone, Copy)]
pub(crate) enum Attribute {
    Multiprocessors = 16,
    Major = 75,
    Minor = 76,
}

/// The driver.
pub(crate) struct Driver {
    library: Library,
    path: PathBuf,
}

/// The loader's own words, where there are some.
fn words(error: &libloading::Error) -> String {
    let own = std::error::Error::source(error);
    own.map_or_else(|| error.to_string(), |own| own.to_string())
}

/// Calls a function of the driver's by its name and type.
macro_rules! call {
    ($driver:expr, $name:literal, fn($($type:ty),*), $($argument:expr),*) => {{
        let driver: &Driver = $driver;
        // SAFETY: the type is that of CUDA's driver API for this name, which is stable.
        let function = unsafe {
            driver.library.get::<unsafe extern "C" fn($($type),*) -> Status>($name.as_bytes())
        };
        match function {
            // SAFETY: pointers are to values that live over the call, of the type that the
            // driver writes, and buffers are as long as their length says.
            Ok(function) => driver.checked($name, unsafe { function($($argument),*) }),
            Err(_) => Err(CudaError::NoFunction { path: driver.path.clone(), function: $name }),
        }
    }};
}

impl Driver {
    /// Opens and initialises it. `folders` are looked at first.
    #[allow(unsafe_code, reason = "a foreign library")]
    pub fn open(folders: &[PathBuf]) -> Result<Self, CudaError> {
        let beside = folders.iter().map(|folder| folder.join("libcuda.so.1"));
        let beside = beside.filter(|path| path.exists());
        let elsewhere = ELSEWHERE.iter().map(PathBuf::from);
        let all = beside
            .chain([PathBuf::from("libcuda.so.1")])
            .chain(elsewhere.filter(|path| path.exists()));
        let mut first = None;
        for path in all {
            // SAFETY: opening runs the library's constructors; it is NVIDIA's driver, or what
            // the user named.
            match unsafe { Library::new(&path) } {
                Ok(library) => {
                    let driver = Self { library, path };
                    call!(&driver, "cuInit", fn(c_uint), 0)?;
                    return Ok(driver);
                }
                Err(error) => first = first.or_else(|| Some(words(&error))),
            }
        }
        Err(CudaError::NoDriver(first.unwrap_or_default()))
    }

    /// Where it was found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The functions by which kernels run.
    pub fn functions(&self) -> Result<Functions, CudaError> {
        Functions::of(&self.library, &self.path)
    }

    /// The driver's words for a status.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn words(functions: &Functions, status: Status) -> String {
        let mut text: *const c_char = ptr::null();
        // SAFETY: the driver writes the address of a text that it keeps.
        unsafe {
            match (functions.error_string)(status, &mut text) {
                0 if !text.is_null() => CStr::from_ptr(text).to_string_lossy().into_owned(),
                _ => format!("error {status}"),
            }
        }
    }

    /// The version of CUDA that it has: 12040 for 12.4.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn version(&self) -> Result<i32, CudaError> {
        let mut version = 0;
        call!(self, "cuDriverGetVersion", fn(*mut c_int), &mut version)?;
        Ok(version)
    }

    /// How many cards it sees.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn count(&self) -> Result<usize, CudaError> {
        let mut count = 0;
        call!(self, "cuDeviceGetCount", fn(*mut c_int), &mut count)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// The handle of a card.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn card(&self, index: usize) -> Result<c_int, CudaError> {
        let mut card = 0;
        let index = c_int::try_from(index).unwrap_or(c_int::MAX);
        call!(self, "cuDeviceGet", fn(*mut c_int, c_int), &mut card, index)?;
        Ok(card)
    }

    /// A card's name.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn name(&self, card: c_int) -> Result<String, CudaError> {
        let mut name = [0u8; 256];
        let (start, length) = (name.as_mut_ptr().cast::<c_char>(), name.len() as c_int - 1);
        call!(
            self,
            "cuDeviceGetName",
            fn(*mut c_char, c_int, c_int),
            start,
            length,
            card
        )?;
        let name = CStr::from_bytes_until_nul(&name).unwrap_or_default();
        Ok(name.to_string_lossy().into_owned())
    }

    /// A card's memory in bytes.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn memory(&self, card: c_int) -> Result<usize, CudaError> {
        let mut bytes = 0;
        call!(
            self,
            "cuDeviceTotalMem_v2",
            fn(*mut usize, c_int),
            &mut bytes,
            card
        )?;
        Ok(bytes)
    }

    /// An attribute of a card.
    #[allow(unsafe_code, reason = "a foreign function")]
    pub fn attribute(&self, attribute: Attribute, card: c_int) -> Result<i32, CudaError> {
        let (mut value, which) = (0, attribute as c_int);
        call!(
            self,
            "cuDeviceGetAttribute",
            fn(*mut c_int, c_int, c_int),
            &mut value,
            which,
            card
        )?;
        Ok(value)
    }

    #[allow(unsafe_code, reason = "a foreign function")]
    fn checked(&self, call: &'static str, status: Status) -> Result<(), CudaError> {
        /// The driver is there, and no card.
        const NO_DEVICE: Status = 100;
        if status == 0 {
            return Ok(());
        }
        if status == NO_DEVICE {
            let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
            let why = visible.map(|own| format!(" (CUDA_VISIBLE_DEVICES is {own:?})"));
            return Err(CudaError::NoCard(why.unwrap_or_default()));
        }
        let mut text: *const c_char = ptr::null();
        // SAFETY: as in `call!`; the driver writes the address of a text that it keeps.
        let message = unsafe {
            let name = b"cuGetErrorString";
            type Function = unsafe extern "C" fn(Status, *mut *const c_char) -> Status;
            match self.library.get::<Function>(name) {
                Ok(function) if function(status, &mut text) == 0 && !text.is_null() => {
                    CStr::from_ptr(text).to_string_lossy().into_owned()
                }
                _ => "without words".to_owned(),
            }
        };
        let hint = match status {
            803 => {
                "; the driver's library and the kernel's module are of different versions: restart the machine"
            }
            802 => "; the card's fabric manager is not running",
            _ => "",
        };
        Err(CudaError::Refused {
            call,
            code: status,
            message,
            hint,
        })
    }
}
