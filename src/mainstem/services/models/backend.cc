#include "mainstem/services/models/backend.h"

#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mainstem/base/suggestion.h"

namespace mainstem {

std::string ShapeToString(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string ToString(const Port& port) {
  return fmt::format("{}: {} {}", Escaped(port.name), port.dtype->ToString(), ShapeToString(port.shape));
}

Result<size_t> FindPort(const std::vector<Port>& ports, const std::string& name, std::string_view kind) {
  std::vector<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) {
      return i;
    }
    names.push_back(Escaped(ports[i].name));
  }
  return JobError(fmt::format("the model has no {} '{}'.{}", kind, Escaped(name), Suggestion(name, names)));
}

}  // namespace mainstem
