# Recipes for `just`; each is one line that can be typed as well. `verify` never writes, `fix` does.

# What a change has to pass before the clients of other languages.
verify:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --workspace

# Format, lint fixes, and the generated parts of the documentation.
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --fix --allow-dirty
    LEVERET_BLESS=1 cargo test -p leveret --test compat

# The client checks of some languages, or of all.
clients *LANGUAGES:
    cargo build --release
    clients/run --start "$PWD/target/release/leveret" {{LANGUAGES}}

# Everything, as CI does it.
ci:
    .ci/run
