// Origin source: a source whose rows also say where they come from, in a column more.
#pragma once

#include <memory>

#include "mainstem/connectors/source.h"

namespace mainstem {

/// Adds the column kOriginColumn behind the others of `source`; a scan gets it by its name or with all columns. Origins
/// are the same in every run, whatever splits the rows are read in, as far as Source::Origins promises it. `reading`
/// tells apart several readings of one source in a plan. A source that has such a column already is a job error.
Result<std::shared_ptr<Source>> MakeOriginSource(std::shared_ptr<Source> source, int reading);

}  // namespace mainstem
