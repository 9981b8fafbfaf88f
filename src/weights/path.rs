//! Where in a module a walk over its parameters is: a parameter's name in a checkpoint, and how its values lie there.

/// How a parameter's values lie in a GGUF file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layout {
    AsIs,
    /// `[in, out]`, in the file `[out, in]`.
    Transposed,
    /// `[out, in, kh, kw]`, in the file `[out, kh·kw·in]`.
    Convolution,
}

impl Layout {
    /// The shape in the file of a parameter of this shape in the module.
    pub fn stored_shape(self, shape: &[usize]) -> Vec<usize> {
        match (self, shape) {
            (Self::Transposed, &[inputs, outputs]) => vec![outputs, inputs],
            (Self::Convolution, &[outputs, inputs, height, width]) => vec![outputs, height * width * inputs],
            (_, shape) => shape.to_vec(),
        }
    }
}

/// The way from the module's root to where the walk is.
#[derive(Default)]
pub(crate) struct Path {
    names: Vec<String>,
    containers: Vec<String>,
}

impl Path {
    /// To be called by `enter_module` of a visitor or mapper.
    pub fn enter(&mut self, name: &str, container: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container.to_owned());
    }

    /// To be called by `exit_module` of a visitor or mapper.
    pub fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    /// The path as the checkpoint writes it. The variant of an enum is no part of it.
    pub fn name(&self) -> String {
        let parts = self.names.iter().zip(&self.containers).filter(|(_, container)| !container.starts_with("Enum:"));
        let mut names: Vec<&str> = parts.map(|(name, _)| name.as_str()).collect();
        match names.last_mut() {
            Some(last) if *last == "gamma" => *last = "weight",
            Some(last) if *last == "beta" => *last = "bias",
            _ => {}
        }
        names.join(".")
    }

    /// The layout of the parameter here, which has so many dimensions.
    pub fn layout(&self, dimensions: usize) -> Layout {
        match self.containers.last().map(String::as_str) {
            Some("Struct:Linear") if dimensions == 2 => Layout::Transposed,
            _ if dimensions == 4 => Layout::Convolution,
            _ => Layout::AsIs,
        }
    }
}
