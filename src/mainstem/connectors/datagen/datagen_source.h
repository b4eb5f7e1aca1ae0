// Datagen source: made-up rows at a steady rate, for demonstrations, tests and load.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/connectors/source.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// Row i depends on the seed and on i alone (see Generate). Without `number_of_rows` and without a sequence that ends
/// it has no end. Splits are handed out at the rate; a reader reads as fast as it can. After a pause (backpressure, a
/// restart) the rows go on at the rate: at most a tenth of a second, or one split, is caught up on.
Result<std::shared_ptr<Source>> MakeDatagenSource(const Options& options);
std::vector<OptionSpec> DatagenSourceOptions();

}  // namespace mainstem
