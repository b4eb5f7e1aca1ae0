// Waiting call: a call whose rows are answered one by one, from several places, and its reply once they all are.
#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/services/endpoint.h"

namespace mainstem {

/// The rows of a batch that answer one row: one of a scalar service, any number of a table service.
struct RowAnswer {
  std::shared_ptr<arrow::RecordBatch> source;  ///< schema of the service's output
  int64_t start = 0;
  int64_t length = 0;
};

/// Used by one thread at a time.
class WaitingCall {
 public:
  WaitingCall(Call call, std::function<void(Reply)> done);

  const std::shared_ptr<arrow::RecordBatch>& rows() const { return rows_; }
  /// Each row is given one of these once; they return whether it was the last one.
  bool Answer(int64_t row, const RowAnswer& answer);
  bool Fail(int64_t row, const RowAnswer& placeholder, std::string reason);
  /// The call as a whole is answered with the status, when its last row has been.
  bool Abandon(int64_t row, const Status& status);

  /// Puts the reply together and hands it over. Once.
  void Finish(const ServiceSpec& spec);
  /// Answers the call as a whole, whatever its rows have.
  void FinishWith(const Status& status) { done_(Reply{.status = status}); }

 private:
  Result<std::shared_ptr<arrow::RecordBatch>> Rows(const ServiceSpec& spec) const;

  std::shared_ptr<arrow::RecordBatch> rows_;
  std::function<void(Reply)> done_;
  std::vector<RowAnswer> answers_;
  std::vector<RowFailure> failures_;
  int64_t missing_ = 0;
  Status status_;
};

}  // namespace mainstem
