#include "mainstem/connectors/staging/part_options.h"

namespace mainstem {

std::vector<OptionSpec> PartSinkOptions() {
  return {{.name = "path", .doc = "Folder to write into.", .required = true},
          {.name = "mode", .default_value = "append", .doc = "What to do with what is there.",
           .choices = {"append", "overwrite", "error"}},
          {.name = "target_file_bytes", .type = OptionType::kInt, .default_value = int64_t{512} << 20,
           .doc = "A new file is begun beyond it.", .minimum = 1}};
}

Result<std::shared_ptr<Sink>> MakePartSink(const Options& options, std::shared_ptr<const PartFormat> format) {
  ARROW_ASSIGN_OR_RAISE(const WriteMode mode, ParseWriteMode(options.String("mode")));
  ARROW_ASSIGN_OR_RAISE(auto store, OpenStore(options.String("path")));
  return MakePartSink(std::move(store), mode, options.Int("target_file_bytes"), std::move(format));
}

}  // namespace mainstem
