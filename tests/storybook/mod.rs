//! Where the storybook model lies, for all tests that run it.

use std::path::PathBuf;

/// `IMAGEN_MODEL`, else the model of this repository.
pub fn folder() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/storybook");
    let folder = std::env::var_os("IMAGEN_MODEL").filter(|path| !path.is_empty()).map_or(here, PathBuf::from);
    assert!(folder.join("imagen.json").is_file(), "no storybook model in {}: see IMAGEN_MODEL", folder.display());
    folder
}
