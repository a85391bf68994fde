#!/bin/sh
# debian-packages.sh PACKAGE...: installs those that dpkg does not list as installed; asks nothing, says nothing when there is nothing to do.
set -eu

cannot() {
    echo "Please install $1 by hand: $2." >&2
    exit 1
}

if ! command -v dpkg-query >/dev/null; then
    cannot "$*" "this is not a Debian-like system"
fi

missing=
for package in "$@"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || state=
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
missing=${missing# }

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || cannot "$missing" "apt-get needs root, and there is no sudo"
    as_root="sudo"
    [ -t 0 ] || as_root="sudo -n" # nobody there to type a password
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing Debian packages: $missing ..." >&2
# shellcheck disable=SC2086 # both are lists of words
if ! { $as_root apt-get -q update &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing; } </dev/null >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    cannot "$missing" "apt-get could not (its last lines are above)"
fi
