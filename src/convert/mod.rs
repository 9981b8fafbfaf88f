//! Importers: Hugging Face folders to a cascade directory of GGUF files.
