//! Text: tokenizer, T5 encoder and embedding files.
