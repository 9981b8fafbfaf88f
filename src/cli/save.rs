//! Keeps pictures: checked to be writable before anything is sampled, and never lost after.
//!
//! A picture appears under its name only when it is complete. Where that cannot be written any more, it goes to the
//! folder for temporary files instead, and a message says so.

use super::exit::Failure;
use crate::cascade::{Manifest, Request, picture_settings};
use crate::image::{Picture, png};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The name of an output: folder, and file name without `.png`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    folder: PathBuf,
    stem: String,
}

impl Target {
    /// From the option, which must end in `.png`.
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        let wrong = || Failure::usage(format!("the output {} must be a file name that ends in .png", path.display()));
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
        let stem = name.strip_suffix(".png").filter(|stem| !stem.is_empty()).ok_or_else(wrong)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self { folder: folder.to_owned(), stem: stem.to_owned() })
    }

    /// The target of number `index` of several: where `{index}` stands, else at the end.
    pub(super) fn numbered(&self, index: usize) -> Self {
        let stem = match self.stem.contains("{index}") {
            true => self.stem.replace("{index}", &index.to_string()),
            false => format!("{}-{index}", self.stem),
        };
        Self { folder: self.folder.clone(), stem }
    }

    /// Another file name in the same folder.
    pub(super) fn renamed(&self, name: &str) -> Result<Self, Failure> {
        let target = Self::new(Path::new(name))?;
        if target.folder != Path::new("") {
            return Err(Failure::usage(format!(
                "the output {name:?} must be a plain file name; --output names the folder"
            )));
        }
        Ok(Self { folder: self.folder.clone(), stem: target.stem })
    }

    /// Fails now rather than after minutes of sampling.
    pub(super) fn check_writable(&self) -> Result<(), Failure> {
        let path = or_here(&self.folder);
        let folder = path.display();
        if !path.is_dir() {
            return Err(Failure::new(format!(
                "the output's folder {folder} does not exist; create it or choose another"
            )));
        }
        if self.path(None).is_dir() {
            return Err(Failure::new(format!(
                "the output {} is a folder; choose another name",
                self.path(None).display()
            )));
        }
        match tempfile::tempfile_in(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::new(format!("cannot write into {folder}: {error}; choose another output"))),
        }
    }

    /// The file of a stage's size, or of the last stage.
    fn path(&self, size: Option<u32>) -> PathBuf {
        self.folder.join(match size {
            Some(size) => format!("{}.{size}.png", self.stem),
            None => format!("{}.png", self.stem),
        })
    }
}

/// A picture on disk.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub path: PathBuf,
    pub image_size: u32,
    pub image: usize,
}

/// Writes the stages of one request as they finish.
pub(super) struct Saver<'a> {
    request: &'a Request,
    manifest: &'a Manifest,
    target: Target,
    /// Write stages before the last one too.
    every_stage: bool,
    last: usize,
    /// Finished stages that are only wanted if the run does not get to its end.
    kept: Vec<(usize, u32, Vec<Picture>)>,
    pub written: Vec<Written>,
    /// The first picture that could not be written where it should.
    pub trouble: Option<String>,
}

impl<'a> Saver<'a> {
    pub(super) fn new(request: &'a Request, manifest: &'a Manifest, target: Target, every_stage: bool) -> Self {
        let last = request.stop_at_stage.unwrap_or(manifest.stages.len()).saturating_sub(1);
        Self { request, manifest, target, every_stage, last, kept: Vec::new(), written: Vec::new(), trouble: None }
    }

    /// Takes a finished stage.
    pub(super) fn finished(&mut self, stage: usize, size: u32, pictures: Vec<Picture>) {
        if stage == self.last || self.every_stage {
            self.write(stage, size, &pictures);
        } else {
            self.kept.push((stage, size, pictures));
        }
    }

    /// The run ended early: what is finished is all there will be.
    pub(super) fn keep_all(&mut self) {
        for (stage, size, pictures) in std::mem::take(&mut self.kept) {
            self.write(stage, size, &pictures);
        }
    }

    fn write(&mut self, stage: usize, size: u32, pictures: &[Picture]) {
        for (image, picture) in pictures.iter().enumerate() {
            let target = if pictures.len() > 1 { self.target.numbered(image + 1) } else { self.target.clone() };
            let path = target.path((stage != self.last).then_some(size));
            let written = self.encode(stage, image, picture).and_then(|bytes| write_somewhere(&path, &bytes));
            match written {
                Ok((path, trouble)) => {
                    self.written.push(Written { path, image_size: size, image });
                    self.trouble = self.trouble.take().or(trouble);
                }
                Err(error) => self.trouble = self.trouble.take().or(Some(error)),
            }
        }
    }

    fn encode(&self, stage: usize, image: usize, picture: &Picture) -> Result<Vec<u8>, String> {
        let mut settings = picture_settings(self.request, self.manifest, stage).map_err(|error| error.to_string())?;
        if self.request.count > 1 {
            settings.request["image"] = image.into();
        }
        png::write(picture, &settings).map_err(|error| error.to_string())
    }
}

/// Writes to `path`, or else to the folder for temporary files; then the second value says so.
fn write_somewhere(path: &Path, bytes: &[u8]) -> Result<(PathBuf, Option<String>), String> {
    let error = match write_file(path, bytes) {
        Ok(()) => return Ok((path.to_owned(), None)),
        Err(error) => error,
    };
    let rescue = tempfile::Builder::new().prefix("imagen-").suffix(".png").tempfile();
    let kept = rescue.and_then(|mut file| {
        file.write_all(bytes)?;
        file.keep().map_err(|error| error.error)
    });
    match kept {
        Ok((_, kept)) => {
            let message =
                format!("cannot write {}: {error}; the picture was kept as {}", path.display(), kept.display());
            Ok((kept, Some(message)))
        }
        Err(second) => {
            Err(format!("cannot write {}: {error}; nor into the temporary folder: {second}", path.display()))
        }
    }
}

/// The folder, or the working directory where it has no name.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// Writes a file whole or not at all.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = or_here(path.parent().unwrap_or(Path::new("")));
    let mut builder = tempfile::Builder::new();
    // As other programs' files: readable by all that the user lets read.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".imagen-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_stages_and_numbers() {
        let target = Target::new(Path::new("out/cat.png")).unwrap();
        assert_eq!(target.path(None), Path::new("out/cat.png"));
        assert_eq!(target.path(Some(64)), Path::new("out/cat.64.png"));
        assert_eq!(target.numbered(2).path(Some(64)), Path::new("out/cat-2.64.png"));
        let placed = Target::new(Path::new("a{index}b.png")).unwrap();
        assert_eq!(placed.numbered(3).path(None), Path::new("a3b.png"));
        for wrong in ["", "cat", ".png", "cat.jpg", "/"] {
            assert!(Target::new(Path::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_picture_that_cannot_be_written_is_kept_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone/cat.png");
        let (kept, trouble) = write_somewhere(&path, b"picture").unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), b"picture");
        assert!(trouble.unwrap().contains(&kept.display().to_string()));
        std::fs::remove_file(kept).unwrap();
    }
}
