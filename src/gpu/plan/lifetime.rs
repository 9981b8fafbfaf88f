//! Which tensors may share a buffer.
//!
//! A tensor lives from the first dispatch that writes it to the last that reads it, both included, so that an input
//! and an output of one dispatch never share. Inputs, outputs and what crosses phases live through the whole plan:
//! phases are replayed in any number. The tensors are placed largest first, each into the first buffer in which no
//! tensor lives at the same time ("greedy by size": Pisarchyk and Lee, 2020, arXiv:2001.03288); a buffer is as large
//! as its first tensor.

use super::builder::Recorded;
use super::{Binding, Tensor};
use crate::gpu::GpuError;

/// Buffers of a plan and the buffer of every tensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assignment {
    /// Bytes of each buffer: multiples of 16.
    pub buffers: Vec<u64>,
    /// The buffer of each tensor; none where nothing uses the tensor.
    pub of: Vec<Option<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    first: usize,
    last: usize,
    phase: usize,
    crosses: bool,
}

/// Assigns buffers. `given` tensors hold values before the plan runs, `kept` ones live through the whole plan.
pub(super) fn assign(
    recorded: &[Recorded],
    tensors: &[Tensor],
    given: &[u32],
    kept: &[u32],
) -> Result<Assignment, GpuError> {
    let mut lives: Vec<Option<Life>> = vec![None; tensors.len()];
    for (index, Recorded { phase, dispatch, .. }) in recorded.iter().enumerate() {
        for binding in &dispatch.bindings {
            let (tensor, reads) = match binding {
                Binding::Read(tensor) | Binding::Update(tensor) => (tensor, true),
                Binding::Write(tensor) => (tensor, false),
                Binding::Weight { .. } | Binding::Step | Binding::Empty => continue,
            };
            let life = &mut lives[tensor.id as usize];
            if reads && life.is_none() && !given.contains(&tensor.id) {
                let message = format!("a tensor of shape {:?} is read before anything writes it", tensor.shape);
                return Err(GpuError::shape(dispatch.kernel.name, message));
            }
            let life = life.get_or_insert(Life { first: index, last: index, phase: *phase, crosses: false });
            life.last = index;
            life.crosses |= life.phase != *phase;
        }
    }
    let end = recorded.len();
    for &id in kept {
        lives[id as usize] = Some(Life { first: 0, last: end, phase: 0, crosses: true });
    }
    let mut order: Vec<(usize, Life)> =
        lives.iter().enumerate().filter_map(|(id, life)| Some((id, (*life)?))).collect();
    for (_, life) in &mut order {
        if life.crosses {
            (life.first, life.last) = (0, end);
        }
    }
    order.sort_by_key(|&(id, life)| (std::cmp::Reverse(tensors[id].bytes()), life.first, id));
    let mut result = Assignment { buffers: Vec::new(), of: vec![None; tensors.len()] };
    let mut tenants: Vec<Vec<Life>> = Vec::new();
    for (id, life) in order {
        let free =
            tenants.iter().position(|tenants| tenants.iter().all(|t| t.last < life.first || life.last < t.first));
        let buffer = free.unwrap_or_else(|| {
            tenants.push(Vec::new());
            result.buffers.push(tensors[id].bytes().next_multiple_of(16));
            tenants.len() - 1
        });
        tenants[buffer].push(life);
        result.of[id] = Some(buffer);
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::plan::{Dispatch, Shape};
    use proptest::prelude::*;

    fn vectors(sizes: &[u32]) -> Vec<Tensor> {
        (0..).zip(sizes).map(|(id, &size)| Tensor::whole(id, Shape::vector(1, size))).collect()
    }

    /// Every tensor reads two earlier ones; dispatches belong to two phases.
    fn chain(sizes: &[u32], reads: &[(u32, u32)], second_phase: usize) -> (Vec<Tensor>, Vec<Recorded>) {
        let tensors = vectors(sizes);
        let recorded = (1..tensors.len()).map(|i| {
            let (a, b) = reads[i % reads.len()];
            let dispatch = Dispatch::new("op", "main", &[])
                .read(tensors[a as usize % i])
                .read(tensors[b as usize % i])
                .write(tensors[i]);
            Recorded { phase: usize::from(i > second_phase), section: 0, dispatch }
        });
        let recorded = recorded.collect();
        (tensors, recorded)
    }

    proptest! {
        #[test]
        fn nothing_alive_shares_a_buffer(
            sizes in prop::collection::vec(1u32..500, 2..40),
            reads in prop::collection::vec((0u32..1000, 0u32..1000), 1..20),
            second_phase in 0usize..40,
        ) {
            let (tensors, recorded) = chain(&sizes, &reads, second_phase);
            let last = tensors.len() as u32 - 1;
            let assignment = assign(&recorded, &tensors, &[0], &[0, last]).unwrap();
            // Replay: each buffer holds one tensor's value at a time; phase 2 runs twice.
            let mut holds = vec![None; assignment.buffers.len()];
            holds[assignment.of[0].unwrap()] = Some(0);
            let second = recorded.iter().filter(|entry| entry.phase == 1);
            for Recorded { dispatch, .. } in recorded.iter().chain(second) {
                let mut bound = Vec::new();
                for binding in &dispatch.bindings {
                    match binding {
                        Binding::Read(t) => {
                            let buffer = assignment.of[t.id as usize].unwrap();
                            prop_assert_eq!(holds[buffer], Some(t.id));
                            bound.push(buffer);
                        }
                        Binding::Write(t) => {
                            let buffer = assignment.of[t.id as usize].unwrap();
                            prop_assert!(!bound.contains(&buffer), "an input and an output share a buffer");
                            prop_assert!(assignment.buffers[buffer] >= t.bytes());
                            holds[buffer] = Some(t.id);
                        }
                        _ => {}
                    }
                }
            }
            prop_assert_eq!(holds[assignment.of[last as usize].unwrap()], Some(last));
        }
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let tensors = vectors(&[100; 10]);
        let recorded: Vec<_> = (1..10)
            .map(|i| {
                let dispatch = Dispatch::new("op", "main", &[]).read(tensors[i - 1]).write(tensors[i]);
                Recorded { phase: 0, section: 0, dispatch }
            })
            .collect();
        // The input is kept besides.
        assert_eq!(assign(&recorded, &tensors, &[0], &[0]).unwrap().buffers, [400; 3]);
    }

    #[test]
    fn reading_the_unwritten_is_an_error() {
        let tensors = vectors(&[4; 2]);
        let dispatch = Dispatch::new("op", "main", &[]).read(tensors[0]).write(tensors[1]);
        let recorded = [Recorded { phase: 0, section: 0, dispatch }];
        assert!(matches!(assign(&recorded, &tensors, &[], &[]), Err(GpuError::Shape { op: "op", .. })));
    }
}
