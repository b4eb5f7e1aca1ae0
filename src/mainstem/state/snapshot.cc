#include "mainstem/state/snapshot.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

namespace mainstem {
namespace {

using Json = nlohmann::json;

constexpr int64_t kAlignment = 64;

// Consecutive batches of one schema make one stream.
Result<std::shared_ptr<arrow::Buffer>> StreamOf(const std::vector<Batch>& batches, size_t begin, size_t end) {
  ARROW_ASSIGN_OR_RAISE(auto stream, arrow::io::BufferOutputStream::Create());
  ARROW_ASSIGN_OR_RAISE(auto writer, arrow::ipc::MakeStreamWriter(stream, batches[begin].rows->schema()));
  for (size_t i = begin; i < end; ++i) ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(*batches[i].rows));
  ARROW_RETURN_NOT_OK(writer->Close());
  return stream->Finish();
}

std::shared_ptr<arrow::Buffer> Padding(int64_t size) {
  static const std::string kZeros(kAlignment, '\0');
  return std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t*>(kZeros.data()), size);
}

int64_t Padded(int64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

Status ReadList(const std::string& name, const Json& list, const std::shared_ptr<arrow::Buffer>& bytes, int64_t base,
                std::vector<Batch>* batches) {
  for (const Json& part : list) {
    const int64_t offset = base + part.at("offset").get<int64_t>();
    const int64_t size = part.at("size").get<int64_t>();
    if (offset < base || size < 0 || size > bytes->size() - offset) {
      return JobError(fmt::format("a snapshot's '{}' lies outside of it", Escaped(name)));
    }
    auto input = std::make_shared<arrow::io::BufferReader>(arrow::SliceBuffer(bytes, offset, size));
    ARROW_ASSIGN_OR_RAISE(auto reader, arrow::ipc::RecordBatchStreamReader::Open(std::move(input)));
    for (const Json& entry : part.at("batches")) {
      Batch batch{.order = entry.at(0).get<int64_t>(), .last_of_order = entry.at(1).get<bool>(),
                  .input = entry.at(2).get<int>()};
      ARROW_RETURN_NOT_OK(reader->ReadNext(&batch.rows));
      if (!batch.rows) return JobError(fmt::format("a snapshot's '{}' has lost rows", Escaped(name)));
      ARROW_RETURN_NOT_OK(batch.rows->Validate());
      batches->push_back(std::move(batch));
    }
  }
  return Status::OK();
}

}  // namespace

int64_t Snapshot::Number(const std::string& name, int64_t otherwise) const {
  const auto found = numbers.find(name);
  return found == numbers.end() ? otherwise : found->second;
}

std::string Snapshot::Text(const std::string& name) const {
  const auto found = texts.find(name);
  return found == texts.end() ? "" : found->second;
}

std::vector<Batch> Snapshot::Take(const std::string& name) {
  const auto found = batches.find(name);
  if (found == batches.end()) return {};
  std::vector<Batch> taken = std::move(found->second);
  batches.erase(found);
  return taken;
}

void Snapshot::Add(const std::string& scope, Snapshot part) {
  for (auto& [name, value] : part.numbers) numbers[scope + "/" + name] = value;
  for (auto& [name, value] : part.texts) texts[scope + "/" + name] = std::move(value);
  for (auto& [name, value] : part.batches) batches[scope + "/" + name] = std::move(value);
}

Snapshot Snapshot::Extract(const std::string& scope) {
  const std::string prefix = scope + "/";
  Snapshot part;
  const auto move = [&](auto& from, auto& to) {
    for (auto entry = from.lower_bound(prefix); entry != from.end() && entry->first.starts_with(prefix);) {
      to[entry->first.substr(prefix.size())] = std::move(entry->second);
      entry = from.erase(entry);
    }
  };
  move(numbers, part.numbers);
  move(texts, part.texts);
  move(batches, part.batches);
  return part;
}

int64_t Snapshot::batch_count() const {
  int64_t count = 0;
  for (const auto& [name, list] : batches) count += static_cast<int64_t>(list.size());
  return count;
}

int64_t Snapshot::bytes() const {
  int64_t bytes = 0;
  for (const auto& [name, list] : batches) {
    for (const Batch& batch : list) bytes += BytesOf(*batch.rows);
  }
  return bytes;
}

Result<std::vector<std::shared_ptr<arrow::Buffer>>> ToBuffers(const Snapshot& snapshot) {
  Json header = {{"numbers", snapshot.numbers}, {"texts", Json::object()}, {"batches", Json::object()}};
  // Texts may be bytes of any kind; JSON carries them as numbers where they are not UTF-8.
  for (const auto& [name, text] : snapshot.texts) header["texts"][name] = Json::binary({text.begin(), text.end()});
  std::vector<std::shared_ptr<arrow::Buffer>> streams;
  int64_t offset = 0;
  for (const auto& [name, batches] : snapshot.batches) {
    Json parts = Json::array();
    for (size_t begin = 0; begin < batches.size();) {
      size_t end = begin + 1;
      while (end < batches.size() && batches[end].rows->schema()->Equals(*batches[begin].rows->schema(), true)) ++end;
      ARROW_ASSIGN_OR_RAISE(auto stream, StreamOf(batches, begin, end));
      Json entries = Json::array();
      for (size_t i = begin; i < end; ++i) {
        entries.push_back({batches[i].order, batches[i].last_of_order, batches[i].input});
      }
      parts.push_back({{"offset", offset}, {"size", stream->size()}, {"batches", std::move(entries)}});
      const int64_t padded = Padded(stream->size());
      const int64_t padding = padded - stream->size();
      offset += padded;
      streams.push_back(std::move(stream));
      if (padding > 0) streams.push_back(Padding(padding));
      begin = end;
    }
    header["batches"][name] = std::move(parts);
  }
  const std::vector<uint8_t> text = Json::to_cbor(header);
  const auto size = static_cast<int64_t>(text.size());
  std::string front(static_cast<size_t>(Padded(8 + size)), '\0');
  std::memcpy(front.data(), &size, 8);
  std::memcpy(front.data() + 8, text.data(), text.size());
  std::vector<std::shared_ptr<arrow::Buffer>> buffers = {arrow::Buffer::FromString(std::move(front))};
  for (auto& stream : streams) buffers.push_back(std::move(stream));
  return buffers;
}

Result<Snapshot> ReadSnapshot(const std::shared_ptr<arrow::Buffer>& bytes) {
  int64_t size = 0;
  if (bytes->size() >= 8) std::memcpy(&size, bytes->data(), 8);
  if (bytes->size() < 8 || size < 0 || size > bytes->size() - 8) return JobError("a snapshot's header is damaged");
  Snapshot snapshot;
  try {
    const Json header = Json::from_cbor(bytes->data() + 8, bytes->data() + 8 + size);
    const int64_t base = Padded(8 + size);
    snapshot.numbers = header.at("numbers").get<std::map<std::string, int64_t>>();
    for (const auto& [name, text] : header.at("texts").items()) {
      const auto& binary = text.get_binary();
      snapshot.texts[name] = std::string(binary.begin(), binary.end());
    }
    for (const auto& [name, list] : header.at("batches").items()) {
      ARROW_RETURN_NOT_OK(ReadList(name, list, bytes, base, &snapshot.batches[name]));
    }
  } catch (const Json::exception& error) {
    return JobError(fmt::format("a snapshot's header is damaged: {}", Escaped(error.what())));
  }
  return snapshot;
}

}  // namespace mainstem
