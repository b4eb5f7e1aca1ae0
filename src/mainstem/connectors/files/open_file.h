// Open file: a listed file, opened for reading wherever it lies.
#pragma once

#include <arrow/io/type_fwd.h>

#include <memory>
#include <string>

#include "mainstem/connectors/files/file_lister.h"

namespace mainstem {

/// How files of a table source are opened.
struct OpenPolicy {
  bool allow_private_addresses = false;  ///< of http(s) urls
};

/// Opens a file for reading at any place. An http(s) url is fetched whole. Where `file` has a size and a time and the
/// file has others by now, it is a job error: a table cannot be read in two versions. Errors name the file.
Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenFile(const ListedFile& file, const OpenPolicy& policy);

/// The same from its beginning, decompressed where the name ends in .gz, .zst, .bz2, .lz4 or .br.
Result<std::shared_ptr<arrow::io::InputStream>> OpenStream(const ListedFile& file, const OpenPolicy& policy);

}  // namespace mainstem
