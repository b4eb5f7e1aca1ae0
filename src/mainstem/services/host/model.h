// Model: what a native replica runs: one batch of rows in, one batch of rows out.
#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/services/endpoint.h"

namespace mainstem {

/// Runs on batches, one at a time, always on the thread that called ServeModel.
class Model {
 public:
  virtual ~Model();
  /// Answers the rows: one row for one row, in order. A row that cannot be answered is null in the result and
  /// has an entry in `failures` (ascending rows). A status that is not OK fails the whole batch: a RowError is
  /// searched for its row by halving the batch, any other class fails the call.
  /// `rows` lie in shared memory and do not change; keeping them after the call costs new memory for the next one.
  /// An exception is taken as a RowError.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                          std::vector<RowFailure>* failures) = 0;
};

/// Builds the model that the payload of the ServiceSpec (JSON) names.
using ModelLoader = std::function<Result<std::unique_ptr<Model>>(const std::string& payload_json)>;

/// The main loop of a native host program: answers batches until the parent closes the control socket, which it
/// finds by the number in the environment variable MAINSTEM_CONTROL_FD. Returns the exit status for main().
int ServeModel(const ModelLoader& load);

}  // namespace mainstem
