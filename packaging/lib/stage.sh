# shellcheck shell=bash
# Sourced by packaging/build: the files that every package lays down, in one place. Paths are those of a distribution's
# package; the tar.gz puts the same files elsewhere.

# Makes $1 anew with the program $2, compiled for target $3, its manuals, completions, examples and configuration.
stage() {
    local root=$1 documents=$1/usr/share/doc/$name
    rm -rf "$root"
    install -D -m 0755 "$2" "$root/usr/bin/$name"
    stage_manuals "$root/usr/share/man"
    install -D -m 0644 packaging/completions/$name.bash "$root/usr/share/bash-completion/completions/$name"
    install -D -m 0644 packaging/completions/$name.fish "$root/usr/share/fish/vendor_completions.d/$name.fish"
    stage_configuration "$root" system
    # Nothing of these is in force until somebody names or copies it.
    install -d "$documents" "$root/usr/share/$name"
    cp -r packaging/alerts packaging/sysctl.d "$root/usr/share/$name/"
    cp README.md "$documents/"
    stage_notices "$documents" "$3"
    chmod -R u=rwX,go=rX "$documents" "$root/usr/share/$name"
}

stage_manuals() {
    local manual
    for manual in man/*.[58]; do
        install -D -m 0644 "$manual" "$1/man${manual##*.}/$(basename "$manual")"
        gzip -9n "$1/man${manual##*.}/$(basename "$manual")"
    done
}

# It may name a program that is run and addresses nobody else should know.
stage_configuration() {
    install -d "$1/etc/$name"
    packaging/lib/config_profile.py "$2" >"$1/etc/$name/config.yaml"
    chmod 0640 "$1/etc/$name/config.yaml"
}

# The licences that must go along with the binary.
stage_notices() {
    install -d "$1"
    packaging/lib/third_party_notices.py "${2%.2.*}" >"$1/third-party-notices"
    gzip -9n "$1/third-party-notices"
}

# Gives everything below $1 the one time that is in this package.
settle_times() {
    find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# Writes the folder $1 as the archive $2.
pack() {
    pack_files "$(dirname "$1")" "$2" "$(basename "$1")"
}
# The same without the folder itself: names in the archive begin with `./`.
pack_content() {
    pack_files "$1" "$2" .
}
# Writes what else is named, below the folder $1, as the archive $2: sorted, owned by root, with one time.
pack_files() {
    tar --create --directory "$1" --sort=name --owner=root:0 --group=root:0 --numeric-owner --format=gnu \
        --mtime="@$SOURCE_DATE_EPOCH" "${@:3}" | gzip -9n >"$2"
}
