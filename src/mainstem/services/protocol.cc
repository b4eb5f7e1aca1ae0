#include "mainstem/services/protocol.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

namespace mainstem {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr size_t kHeaderBytes = 56;
constexpr size_t kReasonBytesMax = 4000;

struct Header {
  uint32_t kind;
  uint32_t flags;
  uint64_t call;
  uint32_t slot;
  uint32_t error;
  int64_t rows_offset;
  int64_t rows_bytes;
  int64_t failures_bytes;
  int64_t busy_ns;
};
static_assert(sizeof(Header) == kHeaderBytes);

constexpr std::array<const char*, 3> kShapes = {"scalar", "table", "batch"};

Result<std::string> SchemaMessage(const arrow::Schema& schema) {
  ARROW_ASSIGN_OR_RAISE(const auto buffer, arrow::ipc::SerializeSchema(schema));
  return buffer->ToString();
}

}  // namespace

std::string EncodeMessage(const Message& message) {
  const Header header{.kind = static_cast<uint32_t>(message.kind),
                      .flags = message.flags,
                      .call = message.call,
                      .slot = message.slot,
                      .error = static_cast<uint32_t>(message.error),
                      .rows_offset = message.rows_offset,
                      .rows_bytes = message.rows_bytes,
                      .failures_bytes = message.failures_bytes,
                      .busy_ns = message.busy_ns};
  std::string bytes(kHeaderBytes, '\0');
  std::memcpy(bytes.data(), &header, kHeaderBytes);
  return bytes + message.text;
}

Result<Message> DecodeMessage(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) {
    return JobError(fmt::format("a control message of {} bytes; at least {} expected", bytes.size(), kHeaderBytes));
  }
  Header header;
  std::memcpy(&header, bytes.data(), kHeaderBytes);
  if (header.kind < static_cast<uint32_t>(MessageKind::kSetup) ||
      header.kind > static_cast<uint32_t>(MessageKind::kReplyArena) || header.slot >= kSlots ||
      header.error > static_cast<uint32_t>(ReplyError::kJob) || header.rows_bytes < 0 ||
      header.rows_offset < 0 || header.failures_bytes < 0 ||
      header.busy_ns < 0) {
    return JobError(fmt::format("a control message that makes no sense (kind {}, slot {})", header.kind, header.slot));
  }
  return Message{.kind = static_cast<MessageKind>(header.kind),
                 .flags = header.flags,
                 .call = header.call,
                 .slot = header.slot,
                 .error = static_cast<ReplyError>(header.error),
                 .rows_offset = header.rows_offset,
                 .rows_bytes = header.rows_bytes,
                 .failures_bytes = header.failures_bytes,
                 .busy_ns = header.busy_ns,
                 .text = std::string(bytes.substr(kHeaderBytes))};
}

Result<SetupBlock> MakeSetup(const ServiceSpec& spec) {
  SetupBlock setup;
  const nlohmann::json options = {
      {"name", spec.name}, {"form", spec.form}, {"shape", kShapes[static_cast<size_t>(spec.shape)]}};
  setup.options = options.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  ARROW_ASSIGN_OR_RAISE(setup.input_schema, SchemaMessage(*spec.input));
  ARROW_ASSIGN_OR_RAISE(setup.output_schema, SchemaMessage(*spec.output));
  setup.payload = spec.payload;
  return setup;
}

int64_t SetupBytes(const SetupBlock& setup) {
  return static_cast<int64_t>(4 * sizeof(int64_t) + setup.options.size() + setup.input_schema.size() +
                              setup.output_schema.size() + setup.payload.size());
}

void WriteSetup(const SetupBlock& setup, uint8_t* out) {
  const std::array<const std::string*, 4> parts = {&setup.options, &setup.input_schema, &setup.output_schema,
                                                   &setup.payload};
  for (const std::string* part : parts) {
    const int64_t length = static_cast<int64_t>(part->size());
    std::memcpy(out, &length, sizeof(length));
    out += sizeof(length);
  }
  for (const std::string* part : parts) {
    std::memcpy(out, part->data(), part->size());
    out += part->size();
  }
}

Result<SetupBlock> ReadSetup(std::string_view bytes) {
  std::array<int64_t, 4> lengths;
  if (bytes.size() < sizeof(lengths)) return JobError("a setup block is cut short");
  std::memcpy(lengths.data(), bytes.data(), sizeof(lengths));
  bytes.remove_prefix(sizeof(lengths));
  SetupBlock setup;
  const std::array<std::string*, 4> parts = {&setup.options, &setup.input_schema, &setup.output_schema, &setup.payload};
  for (size_t i = 0; i < parts.size(); ++i) {
    if (lengths[i] < 0 || static_cast<uint64_t>(lengths[i]) > bytes.size()) {
      return JobError("a setup block is cut short");
    }
    parts[i]->assign(bytes.substr(0, static_cast<size_t>(lengths[i])));
    bytes.remove_prefix(static_cast<size_t>(lengths[i]));
  }
  return setup;
}

Result<std::shared_ptr<arrow::Schema>> ReadSchemaMessage(std::string_view bytes) {
  arrow::io::BufferReader reader(arrow::Buffer::FromString(std::string(bytes)));
  arrow::ipc::DictionaryMemo dictionaries;
  return arrow::ipc::ReadSchema(&reader, &dictionaries);
}

std::shared_ptr<arrow::Schema> ReplySchema(const std::shared_ptr<arrow::Schema>& output, ReplyShape shape) {
  if (shape != ReplyShape::kTable) return output;
  arrow::FieldVector fields = {arrow::field("__row", arrow::int64(), false)};
  fields.insert(fields.end(), output->fields().begin(), output->fields().end());
  return arrow::schema(std::move(fields));
}

std::string EncodeFailures(const std::vector<RowFailure>& failures) {
  nlohmann::json list = nlohmann::json::array();
  for (const RowFailure& failure : failures) {
    list.push_back(nlohmann::json::array({failure.row, failure.reason.substr(0, kReasonBytesMax)}));
  }
  return list.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

Result<std::vector<RowFailure>> DecodeFailures(std::string_view json, int64_t rows) {
  std::vector<RowFailure> failures;
  if (json.empty()) return failures;
  const auto list = nlohmann::json::parse(json, nullptr, false);
  if (!list.is_array()) return JobError("the failures of a reply are not a JSON list");
  int64_t last = -1;
  for (const auto& item : list) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_number_integer() || !item[1].is_string()) {
      return JobError("a failure of a reply is not [row, reason]");
    }
    const int64_t row = item[0].get<int64_t>();
    if (row <= last || row >= rows) {
      return JobError(fmt::format("the failures of a reply name row {} after row {} of {} rows", row, last, rows));
    }
    last = row;
    failures.push_back({row, Escaped(item[1].get_ref<const std::string&>(), kReasonBytesMax)});
  }
  return failures;
}

}  // namespace mainstem
