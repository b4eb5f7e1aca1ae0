// Registry: the single source of truth about functions. Handed in, never global.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mainstem/functions/function.h"

namespace mainstem {

/// All functions a job may use. Immutable after set-up; then safe to share between threads.
class Registry {
 public:
  /// Adds a function. Its name must be new; `on_error` is declared for it where it asks for it.
  Status Add(FunctionDefinition definition);

  /// Finds a function, or fails with the nearest name.
  Result<const FunctionDefinition*> Find(const std::string& name) const;
  const FunctionDefinition* FindOrNull(const std::string& name) const;

  /// All functions, by name.
  std::vector<const FunctionDefinition*> All() const;

  /// The registry as JSON for other languages: a list of {name, kind, cost, doc, arguments, options, …}.
  std::string ToJson() const;

 private:
  std::map<std::string, FunctionDefinition> functions_;
};

}  // namespace mainstem
