// For tests: expected values from reference.py, and models from the model store.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "mainstem/services/host/model.h"
#include "mainstem/services/models/models.h"

namespace mainstem {

/// A folder that goes when the test does.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mainstem-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// Runs reference.py and returns the JSON that it prints; nothing where a package that it needs is missing.
inline std::optional<nlohmann::json> Reference(const std::string& arguments, const nlohmann::json& input = {}) {
  constexpr int kPackageMissing = 3;
  const TemporaryFolder folder;
  WriteFile(folder / "in", input.dump());
  const std::string script = std::filesystem::path(__FILE__).replace_filename("reference.py").string();
  const std::string command = std::string("'") + MAINSTEM_PYTHON + "' '" + script + "' " + arguments + " < '" +
                              (folder / "in") + "' > '" + (folder / "out") + "'";
  const int status = std::system(command.c_str());
  if (WIFEXITED(status) && WEXITSTATUS(status) == kPackageMissing) {
    return std::nullopt;
  }
  EXPECT_EQ(status, 0) << command;
  return nlohmann::json::parse(ReadFile(folder / "out"), nullptr, false);
}

/// A payload for a model of the store, float32 throughout; nothing where its package is not installed.
inline std::optional<nlohmann::json> StorePayload(const std::string& task, const std::string& name,
                                                  nlohmann::json options = nlohmann::json::object()) {
  auto resolved = Reference("resolve " + task + " '" + name + "'");
  if (!resolved.has_value()) {
    return std::nullopt;
  }
  options["precision"] = "f32";
  (*resolved)["options"] = std::move(options);
  return resolved;
}

inline Result<std::shared_ptr<arrow::RecordBatch>> RunOn(Model& model, std::shared_ptr<arrow::Array> column,
                                                         std::vector<RowFailure>* failures) {
  const auto schema = arrow::schema({arrow::field("column", column->type())});
  return model.Run(arrow::RecordBatch::Make(schema, column->length(), {column}), failures);
}

}  // namespace mainstem
