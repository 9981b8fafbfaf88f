//! What naga lets through and browsers do not.

/// WGSL's reserved words (specification, section "Reserved Words"): naga accepts some of them as names, Chrome none.
const RESERVED: &str = "NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become \
    cast catch class co_await co_return co_yield coherent column_major common compile compile_fragment concept \
    const_cast consteval constexpr constinit crate debugger decltype delete demote demote_to_helper do dynamic_cast \
    enum explicit export extends extern external fallthrough filter final finally friend from fxgroup get goto \
    groupshared highp impl implements import inline instanceof interface layout lowp macro macro_rules match mediump \
    meta mod module move mut mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent \
    noperspective null nullptr of operator package packoffset partial pass patch pixelfragment precise precision \
    premerge priv protected pub public readonly ref regardless register reinterpret_cast require resource restrict \
    self set shared sizeof smooth snorm static static_assert static_cast std subroutine super target template this \
    thread_local throw trait try type typedef typeid typename typeof union unless unorm unsafe unsized use using \
    varying virtual volatile wgsl where with writeonly yield";

fn shaders() -> impl Iterator<Item = (String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
    std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.display().to_string(), std::fs::read_to_string(&path).unwrap())
    })
}

#[test]
fn no_reserved_word_is_used() {
    for (path, text) in shaders() {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in code.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                assert!(
                    !RESERVED.split_whitespace().any(|reserved| reserved == word),
                    "{path}:{}: {word} is reserved in WGSL",
                    number + 1
                );
            }
        }
    }
}

#[test]
fn every_shader_says_how_it_works() {
    for (path, text) in shaders() {
        assert!(text.starts_with("// "), "{path} has no head comment");
    }
}
