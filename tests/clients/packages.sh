# What checks with others' programs install, once, by exact version: each in a folder of its own below $cache,
# which is kept. Read by `run` here and by those of the other folders.

cache="${XDG_CACHE_HOME:-$HOME/.cache}/grantor-clients"

# A newer node than the machine may have. The package that is called `node` fetches it by a script, which npm
# runs only where it is told to; this one holds it.
NODE_22="node-$(uname -s | tr A-Z a-z)-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')@22.23.3"

# python_packages NAME REQUIREMENT…, npm_packages NAME PACKAGE…: unless they are there and the same.
installed() { [[ "$(cat "$cache/$1/pins" 2>/dev/null)" == "${*:2}" ]]; }
python_packages() {
    installed "$@" && return
    echo "installs ${*:2} into $cache/$1"
    rm -rf "${cache:?}/$1" && python3 -m venv "$cache/$1" &&
        "$cache/$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}" &&
        echo "${*:2}" >"$cache/$1/pins"
}
npm_packages() {
    installed "$@" && return
    echo "installs ${*:2} into $cache/$1"
    rm -rf "${cache:?}/$1" && mkdir -p "$cache/$1" &&
        npm install --prefix "$cache/$1" --silent --no-audit --no-fund --no-package-lock "${@:2}" &&
        echo "${*:2}" >"$cache/$1/pins"
}
