// Journal keys: what decides a reply, hashed: the service's identity and one row's content.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/services/endpoint.h"
#include "mainstem/services/journal/journal.h"

namespace mainstem {

/// Hashes rows for one service: BLAKE2b, 128 bits, so that no two inputs share a key by accident or by design.
/// Contents decide, not how batches were cut, sliced or padded; and, for a service that is not deterministic, the origin of
/// the row (data/row_origin.h), the last column of its calls. Thread-safe.
class RowKeys {
 public:
  /// Refuses services whose replies cannot be told apart by their input: not deterministic and without origins, whole
  /// batches, models without checksums, user functions without a journal identity, column types that have no canonical
  /// bytes.
  static Result<RowKeys> Make(const ServiceSpec& spec);

  /// One key a row; nothing for a row whose content is not known: it holds a file without version and bytes, or a
  /// clip of a file; or where a row's origin is missing.
  Result<std::vector<std::optional<JournalKey>>> Of(const arrow::RecordBatch& rows) const;

 private:
  RowKeys(std::string identity, bool by_origin) : identity_(std::move(identity)), by_origin_(by_origin) {}

  std::string identity_;
  bool by_origin_;
};

}  // namespace mainstem
