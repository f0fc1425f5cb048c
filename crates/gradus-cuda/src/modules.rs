//! Kernels: their sources, the forms that they are compiled in, and the PTX that is kept of each, which the
//! driver compiles for the card that there is.

/// A file of kernels in one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Module {
    /// Per value: activations, gates, sums, conversions. Of bf16 or f32, as those below.
    Elementwise(bool),
    /// Norms of any width, sums of columns.
    Norm(bool),
    /// Embeddings, gathers, pooling.
    Rows(bool),
    /// Cross-entropy and directions.
    Scores(bool),
    /// Attention for heads of any size.
    Attention(bool),
    /// Products of any shape.
    Products(bool),
    /// AdamW and norms of gradients.
    Optimizer,
    /// The norm of whole rows of one width, in bf16.
    NormWide(usize),
    /// Attention on tensor cores for heads of one size, in bf16.
    AttentionMma(usize),
}

/// Widths of which there is a norm of their own.
pub(crate) const WIDE: [usize; 4] = [384, 512, 768, 1024];
/// Sizes of heads of which there is attention on tensor cores.
pub(crate) const HEADS: [usize; 2] = [32, 64];

macro_rules! ptx {
    ($name:literal) => {
        concat!(include_str!(concat!("../ptx/", $name, ".ptx")), "\0")
    };
}

impl Module {
    /// The PTX, which ends in a zero.
    pub fn ptx(self) -> &'static str {
        match self {
            Self::Elementwise(false) => ptx!("elementwise.f32"),
            Self::Elementwise(true) => ptx!("elementwise.bf16"),
            Self::Norm(false) => ptx!("norm.f32"),
            Self::Norm(true) => ptx!("norm.bf16"),
            Self::Rows(false) => ptx!("rows.f32"),
            Self::Rows(true) => ptx!("rows.bf16"),
            Self::Scores(false) => ptx!("scores.f32"),
            Self::Scores(true) => ptx!("scores.bf16"),
            Self::Attention(false) => ptx!("attention.f32"),
            Self::Attention(true) => ptx!("attention.bf16"),
            Self::Products(false) => ptx!("products.f32"),
            Self::Products(true) => ptx!("products.bf16"),
            Self::Optimizer => ptx!("optimizer"),
            Self::NormWide(384) => ptx!("norm_wide.384"),
            Self::NormWide(512) => ptx!("norm_wide.512"),
            Self::NormWide(768) => ptx!("norm_wide.768"),
            Self::NormWide(_) => ptx!("norm_wide.1024"),
            Self::AttentionMma(32) => ptx!("attention_mma.32"),
            Self::AttentionMma(_) => ptx!("attention_mma.64"),
        }
    }
}

#[cfg(test)]
mod sources {
    //! Compiles the sources with NVRTC, where that can be had, and compares with the PTX that is kept.
    //! `GRADUS_PTX=write` writes it.

    use super::{HEADS, Module, WIDE};
    use std::ffi::{CStr, CString, c_char, c_int, c_void};
    use std::path::{Path, PathBuf};

    /// The PTX is written in the version of CUDA 12.0, so that drivers from 525 on read it.
    const VERSION: &str = "8.0";

    struct Form {
        module: Module,
        name: String,
        file: &'static str,
        define: Option<String>,
    }

    fn forms() -> Vec<Form> {
        type Make = fn(bool) -> Module;
        let both: [(&str, Make); 6] = [
            ("elementwise", Module::Elementwise),
            ("norm", Module::Norm),
            ("rows", Module::Rows),
            ("scores", Module::Scores),
            ("attention", Module::Attention),
            ("products", Module::Products),
        ];
        let mut all = vec![Form {
            module: Module::Optimizer,
            name: "optimizer".into(),
            file: "optimizer",
            define: None,
        }];
        for (file, make) in both {
            for (half, kind) in [(false, "f32"), (true, "bf16")] {
                all.push(Form {
                    module: make(half),
                    name: format!("{file}.{kind}"),
                    file,
                    define: Some(format!("-DHALF={}", u8::from(half))),
                });
            }
        }
        let sized = |module, file, key: &str, size: usize| Form {
            module,
            name: format!("{file}.{size}"),
            file,
            define: Some(format!("-D{key}={size}")),
        };
        all.extend(WIDE.map(|w| sized(Module::NormWide(w), "norm_wide", "WIDTH", w)));
        all.extend(HEADS.map(|h| sized(Module::AttentionMma(h), "attention_mma", "SIZE", h)));
        all
    }

    /// NVRTC, by whose functions programs are compiled.
    struct Compiler {
        library: libloading::Library,
        _builtins: Option<libloading::Library>,
    }

    impl Compiler {
        #[allow(unsafe_code, reason = "a foreign library")]
        fn find() -> Option<Self> {
            let libraries = crate::Machine::libraries();
            let path = libraries
                .into_iter()
                .find(|own| own.name == "libnvrtc.so")?
                .path?;
            // Python's package does not say where its other half is.
            let beside = std::fs::read_dir(path.parent()?).ok()?.flatten();
            let builtins = beside.map(|entry| entry.path()).find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("libnvrtc-builtins.so")
            });
            // SAFETY: opening NVIDIA's libraries has no other effect.
            unsafe {
                Some(Self {
                    _builtins: builtins.and_then(|path| libloading::Library::new(path).ok()),
                    library: libloading::Library::new(path).ok()?,
                })
            }
        }

        /// The PTX of a program and the log of its compilation to machine code.
        #[allow(unsafe_code, reason = "a foreign library")]
        fn compile(&self, source: &str, name: &str, options: &[String]) -> (String, String) {
            type Create = unsafe extern "C" fn(
                *mut *mut c_void,
                *const c_char,
                *const c_char,
                c_int,
                *const c_void,
                *const c_void,
            ) -> c_int;
            type Compile = unsafe extern "C" fn(*mut c_void, c_int, *const *const c_char) -> c_int;
            type Size = unsafe extern "C" fn(*mut c_void, *mut usize) -> c_int;
            type Text = unsafe extern "C" fn(*mut c_void, *mut c_char) -> c_int;
            let (source, name) = (CString::new(source).unwrap(), CString::new(name).unwrap());
            let options: Vec<CString> = options
                .iter()
                .map(|o| CString::new(o.as_str()).unwrap())
                .collect();
            let pointers: Vec<_> = options.iter().map(|o| o.as_ptr()).collect();
            // SAFETY: types are those of nvrtc.h; all pointers live over their call; buffers are as long as
            // the library said.
            unsafe {
                let text = |program, size: &[u8], text: &[u8]| {
                    let mut n = 0;
                    self.library.get::<Size>(size).unwrap()(program, &mut n);
                    let mut buffer = vec![0u8; n.max(1)];
                    self.library.get::<Text>(text).unwrap()(program, buffer.as_mut_ptr().cast());
                    CStr::from_bytes_until_nul(&buffer)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned()
                };
                let mut program = std::ptr::null_mut();
                let none = std::ptr::null();
                let create = self.library.get::<Create>(b"nvrtcCreateProgram").unwrap();
                create(&mut program, source.as_ptr(), name.as_ptr(), 0, none, none);
                let compile = self.library.get::<Compile>(b"nvrtcCompileProgram").unwrap();
                let status = compile(program, pointers.len() as c_int, pointers.as_ptr());
                let log = text(program, b"nvrtcGetProgramLogSize", b"nvrtcGetProgramLog");
                assert_eq!(status, 0, "{name:?}: {log}");
                (text(program, b"nvrtcGetPTXSize", b"nvrtcGetPTX"), log)
            }
        }
    }

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// What is kept: a line with the form's name, and no comments, which name the compiler.
    fn tidy(ptx: &str, name: &str) -> String {
        let mut out = format!("// gradus {name}\n");
        for line in ptx
            .lines()
            .filter(|line| !line.starts_with("//") && !line.trim().is_empty())
        {
            let version = line.starts_with(".version ");
            out += &if version {
                format!(".version {VERSION}")
            } else {
                line.to_owned()
            };
            out.push('\n');
        }
        out
    }

    #[test]
    fn kept_ptx_is_what_the_sources_give() {
        let Some(compiler) = Compiler::find() else {
            println!("skipped: no NVRTC (pip install nvidia-cuda-nvrtc, and GRADUS_CUDA_LIBS)");
            return;
        };
        let read = |name: &str| std::fs::read_to_string(folder("kernels").join(name)).unwrap();
        let common = read("common.cuh");
        let write = std::env::var_os("GRADUS_PTX").is_some();
        for Form {
            module,
            name,
            file,
            define,
        } in forms()
        {
            let source = format!("{common}\n{}", read(&format!("{file}.cu")));
            let options = |architecture: &str| {
                let mut all = vec![
                    format!("--gpu-architecture={architecture}"),
                    "--std=c++17".into(),
                    "-default-device".into(),
                    "--ptxas-options=-v".into(),
                    "--diag-suppress=177".into(),
                ];
                all.extend(define.clone());
                all
            };
            let (ptx, _) = compiler.compile(&source, file, &options("compute_80"));
            let ptx = tidy(&ptx, &name);
            let place = folder("ptx").join(format!("{name}.ptx"));
            if write {
                std::fs::write(place, &ptx).unwrap();
                continue;
            }
            let kept = module.ptx().trim_end_matches('\0');
            assert!(
                kept == ptx,
                "{name}: the kept PTX is of other sources, or of another compiler than 13.0; \
                GRADUS_PTX=write cargo test -p gradus-cuda ptx"
            );
            // Machine code of both generations: nothing spills, and the compiler has no remark.
            for architecture in ["sm_80", "sm_90a"] {
                let (_, log) = compiler.compile(&source, file, &options(architecture));
                for line in log.lines() {
                    let spills =
                        line.contains("spill stores") && !line.contains(" 0 bytes spill stores");
                    assert!(
                        !spills && !line.contains("warning"),
                        "{name} {architecture}: {log}"
                    );
                }
            }
        }
    }
}
