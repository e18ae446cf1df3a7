#!/usr/bin/env bash
# Installs streamser as a service on Raspberry Pi OS or Debian, or takes it away. Help: --help
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(dirname "$here")
scope=$([ "$(id -u)" -eq 0 ] && echo system || echo user)
uninstall=""
dry=""

usage() {
  cat <<'END'
usage: deploy/install-pi.sh [--user | --system] [--from WHEEL] [--uninstall] [--dry-run]

Installs streamser as a service that starts at boot, on Raspberry Pi OS (64-bit) or Debian, Bookworm
or Trixie. Safe to run again: that brings it up to date and leaves the configuration alone.

  --user        for this user, with PipeWire or PulseAudio (the default, unless you are root):
                ~/.local/share/streamser/venv, ~/.local/bin/streamser,
                ~/.config/streamser/config.toml, ~/.config/systemd/user/streamser.service
  --system      for the machine, with ALSA alone, such as Raspberry Pi OS Lite (the default as root):
                /opt/streamser, /etc/streamser/config.toml, /etc/systemd/system/streamser.service
  --from WHEEL  install this file instead of the checkout that this script lies in
  --uninstall   stop it and remove it; configuration and Debian packages stay
  --dry-run     print the commands and do nothing

Needs the internet (PyPI, Debian) and, for Debian packages or --system, sudo.
exit codes: 0 done, 1 could not, 2 usage
END
}

say() { echo "install-pi: $*"; }
fail() { echo "install-pi: $*" >&2; exit 1; }

# Print a command, and do it; `root` does it with the rights of root.
run() {
  printf '+'
  printf ' %q' "$@"
  echo
  [ -n "$dry" ] || "$@" </dev/null
}

root() {
  if [ "$(id -u)" -eq 0 ]; then run "$@"; else run sudo "$@"; fi
}

own() { if [ "$scope" = system ]; then root "$@"; else run "$@"; fi; }

# Print the command line of a command that reads this service's configuration.
streamser() { printf '%q ' "$venv/bin/streamser" "$1" --config; printf '%q' "$config"; }

control() {
  if [ "$scope" = system ]; then root systemctl "$@"; else run systemctl --user "$@"; fi
}

while [ $# -gt 0 ]; do
  case $1 in
    --user) scope=user ;;
    --system) scope=system ;;
    --from) [ $# -gt 1 ] || { usage >&2; exit 2; }; source=$2; shift ;;
    --uninstall) uninstall=yes ;;
    --dry-run) dry=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "install-pi: what is '$1'?" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

if [ "$scope" = system ]; then
  venv=/opt/streamser
  config=/etc/streamser/config.toml
  unit=/etc/systemd/system/streamser.service
  template=$here/streamser.service
  running=/run/systemd/system
else
  venv=${XDG_DATA_HOME:-$HOME/.local/share}/streamser/venv
  config=${XDG_CONFIG_HOME:-$HOME/.config}/streamser/config.toml
  unit=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/streamser.service
  template=$here/streamser-user.service
  export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
  running=$XDG_RUNTIME_DIR/systemd
fi
link=$HOME/.local/bin/streamser

check_system() {
  # A 64-bit kernel may carry a 32-bit Raspberry Pi OS: what counts is what dpkg installs.
  local arch codename
  command -v dpkg >/dev/null || fail "no dpkg here: this is for Raspberry Pi OS and Debian"
  arch=$(dpkg --print-architecture)
  case $arch in
    arm64 | amd64) ;;
    armhf | armel | i386)
      fail "this system is 32-bit ($arch), and numpy and LiteRT come for 64-bit alone:" \
        "install Raspberry Pi OS (64-bit), for a Pi 3, 4, 5 or Zero 2" ;;
    *) fail "$arch is neither arm64 nor amd64: numpy and LiteRT do not come for it" ;;
  esac
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
  case $codename in
    bookworm | trixie) say "$codename on $arch, for the $scope" ;;
    *) say "$codename on $arch is not Bookworm or Trixie: untried, going on" ;;
  esac
}

install_packages() {
  local wanted=() package
  for package in python3-venv libportaudio2 ca-certificates; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted+=("$package")
  done
  [ ${#wanted[@]} -eq 0 ] && { say "Debian packages: all there"; return; }
  say "Debian packages: ${wanted[*]}"
  root apt-get update -qq
  root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${wanted[@]}"
}

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

install_package() {
  local built pip=("$venv/bin/python" -m pip --disable-pip-version-check)
  [ -e "$source" ] || fail "there is no $source"
  if [ -x "$venv/bin/python" ] && fits "$venv/bin/python"; then
    say "Python environment: $venv is there"
  else
    [ -n "$dry" ] || fits python3 || fail "python3 is $(python3 --version 2>&1): 3.11, 3.12 or 3.13 is needed"
    say "Python environment: making $venv"
    own python3 -m venv --clear "$venv"
  fi
  say "streamser: from $source"
  built=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$built'" EXIT
  own "${pip[@]}" wheel -q --no-deps -w "$built" "$source"
  built=$built/$(cd "$built" && echo streamser-*.whl)
  own "${pip[@]}" install -q --upgrade "${built}[serve,mqtt]"
  # One of the same version may still be another one.
  own "${pip[@]}" install -q --no-deps --force-reinstall "$built"
}

install_service() {
  if [ -e "$config" ]; then
    say "configuration: $config stays as it is"
  else
    say "configuration: $config, events on a Unix socket"
    own install -D -m 644 "$here/config.toml" "$config"
  fi
  [ "$scope" = system ] || { run mkdir -p "$(dirname "$link")"; run ln -sfn "$venv/bin/streamser" "$link"; }
  own install -D -m 644 "$template" "$unit"
  if [ ! -d "$running" ]; then
    say "systemd does not run here: start it yourself: $(streamser serve)"
    return
  fi
  control daemon-reload
  control enable -q streamser.service
  # Without a microphone it waits for one: do not wait with it.
  control restart --no-block streamser.service
  [ "$scope" = system ] || root loginctl enable-linger "$(id -un)"
}

remove() {
  if [ -d "$running" ] && [ -e "$unit" ]; then control disable -q --now streamser.service; fi
  own rm -rf "$venv" "$unit"
  if [ "$scope" = user ] && [ -L "$link" ]; then run rm -f "$link"; fi
  if [ -d "$running" ]; then control daemon-reload; fi
  say "removed; $config stays, if it is there"
}

if [ -n "$uninstall" ]; then
  remove
  exit 0
fi
check_system
install_packages
install_package
install_service
say "done. What is heard, and what is wrong, if anything: $(streamser doctor)"
if [ "$scope" = system ]; then
  say "state: systemctl status streamser; log: journalctl -u streamser"
else
  say "state: systemctl --user status streamser; log: journalctl --user -u streamser"
fi
