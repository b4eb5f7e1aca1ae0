#!/bin/sh
# build.sh PRESET: builds a preset and lays out an importable package in build/PRESET/python: links to python/mainstem and
# what CMake installs beside it (the native module, plug-ins, programs).
set -eu
cd "$(dirname "$0")/.."
preset="$1"

[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null
cmake --build "build/$preset" -- --quiet

package="build/$preset/python/mainstem"
mkdir -p "$package"
find "$package" -maxdepth 1 -type l -delete
cmake --install "build/$preset" --prefix "build/$preset/python" >/dev/null
for entry in python/mainstem/*; do
  name=$(basename "$entry")
  [ "$name" = __pycache__ ] || ln -s "../../../../python/mainstem/$name" "$package/$name"
done

if [ "$preset" = dev ]; then
  # `.venv/bin/python` and `.venv/bin/mainstem` then use the tree; PYTHONPATH=build/release/python overrides it.
  site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "$PWD/build/dev/python" > "$site/mainstem-tree.pth"
  printf '#!/bin/sh\nexec "%s/.venv/bin/python" -m mainstem "$@"\n' "$PWD" > .venv/bin/mainstem
  chmod +x .venv/bin/mainstem
fi
