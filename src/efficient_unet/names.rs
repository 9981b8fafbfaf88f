//! Names of tensors: here by what a module is, in a checkpoint by its place in an `nn.Sequential` or `nn.ModuleList`.

/// Parts of paths, here and in the checkpoint.
const PARTS: [(&str, &str); 25] = [
    ("time_hiddens.sinu_pos_emb.", "time_hiddens.0."),
    ("time_hiddens.linear.", "time_hiddens.1."),
    ("time_cond.", "time_cond.0."),
    ("time_tokens.", "time_tokens.0."),
    ("to_text_non_attn_cond.norm.", "to_text_non_attn_cond.0."),
    ("to_text_non_attn_cond.linear_1.", "to_text_non_attn_cond.1."),
    ("to_text_non_attn_cond.linear_2.", "to_text_non_attn_cond.3."),
    ("mean_pooled_seq.norm.", "mean_pooled_seq.0."),
    ("mean_pooled_seq.linear.", "mean_pooled_seq.1."),
    ("time_mlp.", "time_mlp.1."),
    ("to_out.linear.", "to_out.0."),
    ("to_out.norm.", "to_out.1."),
    ("to_context.norm.", "to_context.0."),
    ("to_context.linear.", "to_context.1."),
    ("gca.net.conv_1.", "gca.net.0."),
    ("gca.net.conv_2.", "gca.net.2."),
    (".attn.", ".0."),
    (".ff.norm_1.", ".1.0."),
    (".ff.linear_1.", ".1.1."),
    (".ff.norm_2.", ".1.3."),
    (".ff.linear_2.", ".1.4."),
    (".post_downsample.convs.", ".4.fns."),
    (".post_downsample.conv.", ".4.1."),
    (".pre_downsample.conv.", ".0.1."),
    (".upsample.conv.", ".3.net.0."),
];
/// Modules of a level on the way down and on the way up.
const DOWN: [(&str, &str); 3] = [(".init_block.", ".1."), (".resnet_blocks.", ".2."), (".attn_block.", ".3.")];
const UP: [(&str, &str); 3] = [(".init_block.", ".0."), (".resnet_blocks.", ".1."), (".attn_block.", ".2.")];

/// The name of a tensor in a file of ours, by its path in [`EfficientUNet`](super::EfficientUNet): the conditioner's tensors
/// stand beside the others.
pub fn stored_name(path: &str) -> String {
    path.strip_prefix("conditioner.").unwrap_or(path).to_owned()
}

/// What imagen-pytorch's `Unet` calls the tensor that is `stored` in a file of ours.
///
/// ```
/// use imagen_web::efficient_unet::names::checkpoint_name;
/// assert_eq!(checkpoint_name("downs.0.init_block.block1.norm.weight"), "downs.0.1.block1.norm.gamma");
/// ```
pub fn checkpoint_name(stored: &str) -> String {
    let levels: &[_] = match stored {
        _ if stored.starts_with("downs.") => &DOWN,
        _ if stored.starts_with("ups.") => &UP,
        _ => &[],
    };
    let mut name = stored.to_owned();
    for (ours, theirs) in PARTS.iter().chain(levels) {
        name = name.replace(ours, theirs);
    }
    if let Some(norm) = name.strip_suffix(".weight") {
        if stored.contains(".block1.norm.") || stored.contains(".block2.norm.") {
            return format!("{norm}.gamma");
        }
        if of_its_own(stored) {
            return format!("{norm}.g");
        }
    }
    name
}

/// True for a norm of the package's own class, which has no bias. PyTorch's own serves in the perceiver's attention and
/// in front of a projection of the conditioning.
fn of_its_own(stored: &str) -> bool {
    let perceiver = stored.starts_with("attn_pool.layers.");
    let attention = [".attn.norm.", ".attn.to_out.norm.", ".cross_attn.norm.", ".cross_attn.to_out.norm."];
    let others = [".ff.norm_1.", ".ff.norm_2.", "mean_pooled_seq.norm."];
    others.iter().any(|part| stored.contains(part)) || !perceiver && attention.iter().any(|part| stored.contains(part))
}
