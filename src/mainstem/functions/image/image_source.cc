#include "mainstem/functions/image/image_source.h"

#include <fmt/format.h>

namespace mainstem {

Result<Bytes> EncodedBytes(const Value& value) {
  if (value.Is<Bytes>()) return value.As<Bytes>();
  if (value.Is<FileReference>()) {
    const FileReference& file = value.As<FileReference>();
    if (file.data) return *file.data;
    return JobError(fmt::format("the bytes of '{}' have not been fetched; pass file.bytes() of it", Escaped(file.uri)));
  }
  return JobError("encoded image bytes were expected");
}

Result<ImageFacts> ReadImageFacts(const Value& value) {
  if (value.Is<Image>()) {
    const Image& image = value.As<Image>();
    return ImageFacts{.width = image.width,
                      .height = image.height,
                      .channels = image.channels(),
                      .mode = ToString(image.mode),
                      .decoded_mode = image.mode};
  }
  ARROW_ASSIGN_OR_RAISE(const Bytes bytes, EncodedBytes(value));
  ARROW_ASSIGN_OR_RAISE(const ImageHeader header, ReadImageHeader(bytes.span()));
  return ImageFacts{.width = header.width,
                    .height = header.height,
                    .channels = header.channels,
                    .mode = header.stored_mode,
                    .decoded_mode = header.mode,
                    .format = header.format};
}

}  // namespace mainstem
