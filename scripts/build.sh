#!/bin/sh
# build.sh PRESET: builds a preset and lays out an importable package in build/PRESET/python: links to python/mainstem and
# what CMake installs beside it (the native module, plug-ins, programs).
set -eu
cd "$(dirname "$0")/.."
preset="$1"

[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null
targets="_core mainstem-host"
# The plug-in is a target only where FFmpeg's libraries were found.
if grep -q '^build mainstem_ffmpeg:' "build/$preset/build.ninja"; then targets="$targets mainstem_ffmpeg"; fi
# shellcheck disable=SC2086 # several words are meant
cmake --build "build/$preset" --target $targets -- --quiet

package="build/$preset/python/mainstem"
mkdir -p "$package"
find "$package" -maxdepth 1 -type l -delete
cmake --install "build/$preset" --prefix "build/$preset/python" >/dev/null
for entry in python/mainstem/*; do
  name=$(basename "$entry")
  [ "$name" = __pycache__ ] || ln -s "../../../../python/mainstem/$name" "$package/$name"
done

# `.venv/bin/python` and `.venv/bin/mainstem` then use the tree: dev where it is built, otherwise what came first.
# PYTHONPATH=build/PRESET/python chooses another.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
if [ "$preset" = dev ] || [ ! -f "$site/mainstem-tree.pth" ]; then
  echo "$PWD/build/$preset/python" > "$site/mainstem-tree.pth"
  printf '#!/bin/sh\nexec "%s/.venv/bin/python" -m mainstem "$@"\n' "$PWD" > .venv/bin/mainstem
  chmod +x .venv/bin/mainstem
fi
