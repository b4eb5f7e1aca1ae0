// Compressed part: the stream of a text file, compressed where the user wants it.
#pragma once

#include <arrow/io/type_fwd.h>

#include <memory>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// The option `compression`: none (the default), gzip or zstd.
OptionSpec TextCompressionOption();
/// "", ".gz" or ".zst".
std::string ExtensionOfCompression(const std::string& compression);

/// Returns the stream itself, or one that compresses into it; closing that one leaves `stream` open.
Result<std::shared_ptr<arrow::io::OutputStream>> Compressing(std::shared_ptr<arrow::io::OutputStream> stream,
                                                             const std::string& compression);

}  // namespace mainstem
