// The media type of a file, from its first bytes or its name.
#pragma once

#include <string_view>

namespace mainstem {

/// Bytes that MimeTypeOfBytes looks at.
inline constexpr int kMimeTypeBytes = 4096;

/// Recognises JPEG, PNG, WebP, GIF, PDF, WAV, FLAC, OGG, MP3, MP4, QuickTime, Matroska and WebM by their signatures;
/// empty where it is none of them.
std::string_view MimeTypeOfBytes(std::string_view head);

/// The type that the extension of a uri's path stands for (a query or fragment does not count), case ignored; empty
/// where it is not known.
std::string_view MimeTypeOfName(std::string_view uri);

/// The last part of a uri's path, without query and fragment of an http uri: "photos/a.jpg" → "a.jpg".
std::string_view FileName(std::string_view uri);

}  // namespace mainstem
