//! A safetensors file taken apart, to be put together wrongly.

use crate::folder::Folder;
use serde_json::{Map, Value, json};

pub struct Tensors {
    pub header: Map<String, Value>,
    pub data: Vec<u8>,
}

/// What a case does to a file.
pub type Change<'a> = &'a dyn Fn(&mut Tensors);

impl Tensors {
    pub fn of(folder: &Folder, file: &str) -> Self {
        let bytes = folder.read(file);
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self {
            header: serde_json::from_slice(&bytes[8..8 + length]).unwrap(),
            data: bytes[8 + length..].to_vec(),
        }
    }

    /// Appends a tensor of zeros.
    pub fn push(&mut self, name: &str, dtype: &str, shape: &[usize], bytes: usize) {
        let from = self.data.len();
        self.data.resize(from + bytes, 0);
        let tensor = json!({"dtype": dtype, "shape": shape, "data_offsets": [from, from + bytes]});
        self.header.insert(name.into(), tensor);
    }

    /// Renames a tensor.
    pub fn rename(&mut self, from: &str, to: &str) {
        let tensor = self.header.remove(from).unwrap();
        self.header.insert(to.into(), tensor);
    }

    /// Puts `bytes` at the `index`-th value of an F32 tensor.
    pub fn poke(&mut self, tensor: &str, index: usize, value: f32) {
        let from = self.header[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
        let at = from + 4 * index;
        self.data[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub fn bytes(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&self.header).unwrap();
        self.under(&header)
    }

    /// The same values under another header.
    pub fn under(&self, header: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(&self.data);
        bytes
    }
}
