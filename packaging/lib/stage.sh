# shellcheck shell=bash
# Sourced by packaging/build: the files that packages install, at the paths of a distribution's package, and their archives.

# What a .deb and an .rpm have in common, in FOLDER, which is emptied first.
stage() { # FOLDER BINARY TRIPLE
    local root=$1 documents=$1/usr/share/doc/$name
    rm -rf "$root"
    install -D -m 0755 "$2" "$root/usr/bin/$name"
    stage_manuals "$root/usr/share/man"
    install -D -m 0644 packaging/completions/$name.bash "$root/usr/share/bash-completion/completions/$name"
    install -D -m 0644 packaging/completions/$name.fish "$root/usr/share/fish/vendor_completions.d/$name.fish"
    install -D -m 0644 packaging/systemd/$name.sysusers "$root/usr/lib/sysusers.d/$name.conf"
    stage_configuration "$root" system
    # Examples: none is in effect until the administrator names it in the configuration or copies it.
    install -d "$documents" "$root/usr/share/$name"
    cp -r packaging/{alerts,grafana,home-assistant,mqtt,prometheus,push,sysctl.d} "$root/usr/share/$name/"
    stage_documents "$documents"
    stage_notices "$documents" "$3"
    chmod -R u=rwX,go=rX "$documents" "$root/usr/share/$name"
}

# README and docs, but for what was tried in the checkout: its tables are as long as all other documents together.
stage_documents() { # FOLDER
    cp -r README.md docs "$1/"
    rm "$1/docs/proof.md"
    sed -i 's/\[[^]]*\](docs\/proof\.md), //' "$1/README.md"
    ! grep -rn 'proof\.md' "$1/README.md" "$1/docs" || fail "a packaged document refers to docs/proof.md, which is not packaged"
}

stage_manuals() { # FOLDER
    local manual
    for manual in man/*.[58]; do
        install -D -m 0644 "$manual" "$1/man${manual##*.}/$(basename "$manual")"
        gzip -9n "$1/man${manual##*.}/$(basename "$manual")"
    done
}

# Mode 0640, since it may contain private addresses and a command with its secrets.
stage_configuration() { # ROOT PROFILE
    install -d "$1/etc/$name"
    packaging/lib/config_profile.py "$2" >"$1/etc/$name/config.yaml"
    chmod 0640 "$1/etc/$name/config.yaml"
}

# The licences of the compiled-in libraries, which have to accompany the binary.
stage_notices() { # FOLDER TRIPLE
    install -d "$1"
    packaging/lib/third_party_notices.py "$(rust_target "$2")" >"$1/third-party-notices"
    gzip -9n "$1/third-party-notices"
}

# Writes a tar of PATHs below FOLDER to standard output, reproducibly: sorted, owned by root, one time stamp.
tar_of() { # FOLDER PATH...
    tar --create --directory "$1" --sort=name --owner=root:0 --group=root:0 --numeric-owner --format=gnu \
        --mtime="@$SOURCE_DATE_EPOCH" "${@:2}"
}
tar_gz_of() { # FOLDER PATH...
    tar_of "$@" | gzip -9n
}
