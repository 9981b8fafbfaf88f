//! The cascade: manifest, stages, pipeline, request and events. From a prompt to the pictures of all stages.
