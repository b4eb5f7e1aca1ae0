// Stream source: tables in text files that are read from front to back: JSON lines, CSV.
#pragma once

#include <arrow/io/type_fwd.h>
#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "mainstem/connectors/files/open_file.h"
#include "mainstem/connectors/source.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// The columns of a text table.
struct StreamColumns {
  std::shared_ptr<arrow::Schema> all;     ///< null while they are being inferred
  std::shared_ptr<arrow::Schema> wanted;
  bool are_given = false;                 ///< by the user; others in the files are passed over
};

/// A text format. Immutable, thread-safe.
class StreamFormat {
 public:
  virtual ~StreamFormat() = default;
  /// "json"
  virtual std::string name() const = 0;
  /// Whether a file may be cut between any two lines.
  virtual bool can_be_cut() const = 0;
  /// Opens a reader. Without `columns.all` the columns are inferred from the beginning. A reader may hand out more
  /// columns than are wanted, and in any order.
  virtual Result<std::shared_ptr<arrow::RecordBatchReader>> Open(std::shared_ptr<arrow::io::InputStream> stream,
                                                                 const StreamColumns& columns) const = 0;
};

/// The first file that is not empty gives the schema, unless `given_schema` (JSON text: {"name": type, …} or
/// [{"name": …, "type": …}, …]) does.
Result<std::shared_ptr<Source>> MakeStreamSource(std::vector<std::string> paths, OpenPolicy policy,
                                                 std::shared_ptr<const StreamFormat> format,
                                                 const std::string& given_schema);

/// The options `path`, `schema` and `allow_private_addresses`.
std::vector<OptionSpec> StreamSourceOptions();

}  // namespace mainstem
