// Rows: what simulated jobs read and write, made from nothing but their numbers, so that an oracle needs no engine.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/connectors/source.h"
#include "mainstem/connectors/staging/part_sink.h"
#include "mainstem/simulation/world.h"

namespace mainstem::simulation {

constexpr int64_t kKeys = 16;

/// What stands beside the number `id` in a source.
int64_t ContentOf(int64_t id);
/// What a simulated service answers for it.
int64_t AnswerOf(int64_t id);

/// id, content
std::shared_ptr<arrow::Schema> RowSchema();
std::shared_ptr<arrow::Array> Int64s(const std::vector<int64_t>& values);

/// The numbers from `first`, in splits of equal length, in batches of drawn lengths.
struct SourceShape {
  int64_t first = 0;
  int64_t splits = 10;
  int64_t rows = 6;                  ///< of a split
  bool unbounded = false;            ///< splits come as time passes, and no end is known
  int64_t split_every_ns = 300'000;  ///< of an unbounded one
};
std::shared_ptr<Source> MakeSimulatedSource(World& world, const SourceShape& shape);

/// A row a line, columns separated by a space: what an oracle reads without the engine.
std::shared_ptr<const PartFormat> LinesFormat();

}  // namespace mainstem::simulation
