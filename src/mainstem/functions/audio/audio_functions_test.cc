#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "mainstem/functions/builtin.h"
#include "mainstem/media/audio/testdata.h"

namespace mainstem {
namespace {

using audio::ReadSamples;
using audio::ReadTestdata;
using audio::TestdataPath;
using Given = std::map<std::string, OptionValue>;

class AudioFunctions : public testing::Test {
 protected:
  AudioFunctions() { EXPECT_TRUE(RegisterAudioFunctions(registry_).ok()); }

  Result<BoundSignature> Bind(const std::string& name, const LogicalType& type, const Given& given) {
    ARROW_ASSIGN_OR_RAISE(definition_, registry_.Find(name));
    EXPECT_TRUE(Accepts(definition_->arguments[0].accepts, type)) << name << " of " << type.ToString();
    BoundSignature signature{.arguments = {type}};
    ARROW_ASSIGN_OR_RAISE(signature.options, Options::Check(name, definition_->options, given));
    return signature;
  }

  Result<Value> Call(const std::string& name, const LogicalType& type, const Value& value, const Given& given = {}) {
    ARROW_ASSIGN_OR_RAISE(const BoundSignature signature, Bind(name, type, given));
    ARROW_RETURN_NOT_OK(definition_->result_type(signature));
    ARROW_ASSIGN_OR_RAISE(const auto kernel, definition_->make_row_kernel(signature));
    return kernel->Run({&value, 1});
  }

  Result<std::vector<Value>> Rows(const LogicalType& type, const Value& value, const Given& given) {
    ARROW_ASSIGN_OR_RAISE(const BoundSignature signature, Bind("audio.split_by_duration", type, given));
    ARROW_RETURN_NOT_OK(definition_->output_columns(signature));
    ARROW_ASSIGN_OR_RAISE(const auto kernel, definition_->make_table_kernel(signature));
    ARROW_RETURN_NOT_OK(kernel->Start({&value, 1}));
    std::vector<Value> out;
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(auto row, kernel->Next());
      if (!row) return out;
      EXPECT_EQ(row->size(), 1);
      out.push_back((*row)[0]);
    }
  }

  Registry registry_;
  const FunctionDefinition* definition_ = nullptr;
};

Value Encoded(const std::string& name) { return Value(ReadTestdata(name)); }

Value Ramp(int64_t frames, int32_t rate) {
  Waveform out = Waveform::Allocate(frames, 1, rate).ValueOrDie();
  for (int64_t i = 0; i < frames; ++i) out.mutable_data()[i] = static_cast<float>(i) / 4096;
  return out;
}

std::vector<float> SamplesOf(const Value& value) {
  const auto& waveform = value.As<Waveform>();
  return {waveform.data(), waveform.data() + waveform.frames * waveform.channels};
}

TEST_F(AudioFunctions, DecodeReadsEveryKindOfSource) {
  const std::string path = TestdataPath("stereo48k.flac");
  const std::vector<float> expected = ReadSamples("stereo48k.f32");
  const auto bytes = Call("audio.decode", LogicalType::Binary(), Encoded("stereo48k.flac"));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(SamplesOf(*bytes), expected);
  EXPECT_EQ(bytes->As<Waveform>().source_uri, "");

  for (const std::string& uri : {path, "file://" + path}) {
    const auto text = Call("audio.decode", LogicalType::String(), Value(uri));
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(SamplesOf(*text), expected);
    EXPECT_EQ(text->As<Waveform>().source_uri, uri);
  }
  const auto fetched =
      Call("audio.decode", LogicalType::File(),
           FileReference{.uri = "s3://bucket/a.flac", .data = Bytes::Own(ReadTestdata("stereo48k.flac"))});
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(SamplesOf(*fetched), expected);
  EXPECT_EQ(fetched->As<Waveform>().source_uri, "s3://bucket/a.flac");

  const auto local = Call("audio.decode", LogicalType::File(), FileReference{.uri = path});
  ASSERT_TRUE(local.ok()) << local.status();
  EXPECT_EQ(SamplesOf(*local), expected);
}

TEST_F(AudioFunctions, DecodeOfAClipReadsItsRange) {
  const auto clip = Call("audio.decode", LogicalType::AudioClip(),
                         MediaClip{.uri = TestdataPath("mono44k.wav"), .start_time_ms = 20, .end_time_ms = 40});
  ASSERT_TRUE(clip.ok()) << clip.status();
  const std::vector<float> all = ReadSamples("mono44k.f32");
  EXPECT_EQ(SamplesOf(*clip), std::vector<float>(all.begin() + 882, all.begin() + 1764));
  EXPECT_EQ(clip->As<Waveform>().start_time_ms, 20);
}

TEST_F(AudioFunctions, DecodeOfAPartOfAFileReadsThatPart) {
  const std::string inner = ReadTestdata("mono44k.wav");
  const auto path = std::filesystem::temp_directory_path() / ("mainstem_part_" + std::to_string(getpid()));
  std::ofstream(path, std::ios::binary) << "garbage" << inner << "more";
  const auto part = Call("audio.decode", LogicalType::File(),
                         FileReference{.uri = path, .offset = 7, .length = static_cast<int64_t>(inner.size())});
  std::filesystem::remove(path);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(SamplesOf(*part), ReadSamples("mono44k.f32"));
}

TEST_F(AudioFunctions, BrokenDataIsTheRowsFaultAndAMissingFileTheJobs) {
  const auto broken = Call("audio.decode", LogicalType::Binary(), Value(std::string("no sound")));
  EXPECT_EQ(ClassOf(broken.status()), ErrorClass::kRow);
  const auto missing = Call("audio.decode", LogicalType::String(), Value(std::string("/no/such/file.wav")));
  EXPECT_EQ(ClassOf(missing.status()), ErrorClass::kJob);
  EXPECT_NE(missing.status().message().find("/no/such/file.wav"), std::string::npos);
  const auto folder = Call("audio.is_valid", LogicalType::String(), Value(TestdataPath("")));
  EXPECT_EQ(ClassOf(folder.status()), ErrorClass::kJob);
  const auto remote = Call("audio.decode", LogicalType::AudioClip(), MediaClip{.uri = "https://example.com/a.wav"});
  EXPECT_EQ(ClassOf(remote.status()), ErrorClass::kJob);
  const auto limited =
      Call("audio.decode", LogicalType::Binary(), Encoded("mono44k.wav"), {{"max_decoded_bytes", 100}});
  EXPECT_EQ(ClassOf(limited.status()), ErrorClass::kRow);
}

TEST_F(AudioFunctions, IsValidTellsHeadersFromWholeSounds) {
  const LogicalType binary = LogicalType::Binary();
  std::string half = ReadTestdata("stereo48k.flac");
  half.resize(half.size() / 2);
  EXPECT_EQ(Call("audio.is_valid", binary, Encoded("mono22k.ogg"))->As<bool>(), true);
  EXPECT_EQ(Call("audio.is_valid", binary, Encoded("mono22k.ogg"), {{"validation", "decode"}})->As<bool>(), true);
  EXPECT_EQ(Call("audio.is_valid", binary, Value(half))->As<bool>(), true);
  EXPECT_EQ(Call("audio.is_valid", binary, Value(half), {{"validation", "decode"}})->As<bool>(), false);
  EXPECT_EQ(Call("audio.is_valid", binary, Value(std::string("RIFF")))->As<bool>(), false);
  EXPECT_EQ(Call("audio.is_valid", binary, Value(std::string()))->As<bool>(), false);
}

TEST_F(AudioFunctions, MetadataHasTheFieldsOfItsType) {
  const auto value = Call("audio.metadata", LogicalType::Binary(), Encoded("stereo8k24bit.wav"));
  ASSERT_TRUE(value.ok()) << value.status();
  const auto& fields = value->As<StructValue>().fields;
  ASSERT_EQ(fields.size(), 8);
  EXPECT_EQ(fields[0].As<int64_t>(), 8000);
  EXPECT_EQ(fields[1].As<int64_t>(), 2);
  EXPECT_EQ(fields[2].As<int64_t>(), 1000);
  EXPECT_EQ(fields[3].As<int64_t>(), 125);
  EXPECT_EQ(fields[4].As<Bytes>().view(), "WAV");
  EXPECT_EQ(fields[5].As<Bytes>().view(), "PCM_24");
  const auto size = static_cast<int64_t>(ReadTestdata("stereo8k24bit.wav").size());
  EXPECT_EQ(fields[6].As<int64_t>(), size * 8 * 8);  // an eighth of a second
  EXPECT_EQ(fields[7].As<int64_t>(), size);
  EXPECT_TRUE(Call("audio.metadata", LogicalType::Binary(), Value(std::string("broken")))->is_null());
  const auto decoded = Call("audio.metadata", LogicalType::Audio(), Ramp(800, 8000));
  EXPECT_EQ(decoded->As<StructValue>().fields[3].As<int64_t>(), 100);
  EXPECT_EQ(decoded->As<StructValue>().fields[4].As<Bytes>().view(), "UNKNOWN");
  EXPECT_TRUE(decoded->As<StructValue>().fields[7].is_null());
}

TEST_F(AudioFunctions, FiltersIncludeTheirBounds) {
  const LogicalType binary = LogicalType::Binary();
  const Value wav = Encoded("stereo8k24bit.wav");  // 0.125 s
  EXPECT_EQ(Call("audio.duration", binary, wav)->As<double>(), 0.125);
  EXPECT_TRUE(Call("audio.duration", binary, Value(std::string("broken")))->is_null());
  EXPECT_TRUE(
      Call("audio.duration_filter", binary, wav, {{"min_seconds", 0.125}, {"max_seconds", 0.125}})->As<bool>());
  EXPECT_FALSE(Call("audio.duration_filter", binary, wav, {{"min_seconds", 0.126}})->As<bool>());
  EXPECT_FALSE(Call("audio.duration_filter", binary, wav, {{"max_seconds", 0.124}})->As<bool>());
  EXPECT_FALSE(Call("audio.duration_filter", binary, Value(std::string("broken")), {{"max_seconds", 9}})->As<bool>());
  EXPECT_TRUE(Call("audio.size_filter", binary, Value(std::string("12345")), {{"min_bytes", 5}, {"max_bytes", 5}})
                  ->As<bool>());
  EXPECT_FALSE(Call("audio.size_filter", binary, Value(std::string("12345")), {{"max_bytes", 4}})->As<bool>());
  for (const char* name : {"audio.duration_filter", "audio.size_filter"}) {
    EXPECT_EQ(ClassOf(Call(name, binary, wav).status()), ErrorClass::kJob) << name;
  }
  EXPECT_EQ(ClassOf(Call("audio.size_filter", binary, wav, {{"min_bytes", 5}, {"max_bytes", 4}}).status()),
            ErrorClass::kJob);
}

TEST_F(AudioFunctions, StandardizeHasTheDefaultsOfSpeech) {
  const Value decoded = *Call("audio.decode", LogicalType::Binary(), Encoded("stereo48k.flac"));
  const auto standard = Call("audio.standardize", LogicalType::Audio(), decoded);
  ASSERT_TRUE(standard.ok()) << standard.status();
  EXPECT_EQ(standard->As<Waveform>().sample_rate, 16000);
  EXPECT_EQ(standard->As<Waveform>().channels, 1);
  const std::vector<float> expected = ReadSamples("stereo48k_16k_mono.f32");
  const std::vector<float> got = SamplesOf(*standard);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-6) << i;
  EXPECT_EQ(ClassOf(Call("audio.resample", LogicalType::Audio(), decoded).status()), ErrorClass::kJob);
  EXPECT_EQ(Call("audio.resample", LogicalType::Audio(), decoded, {{"sample_rate", 24000}})->As<Waveform>().frames,
            3000);
}

TEST_F(AudioFunctions, EncodeNamesTheFormatsItKnows) {
  const auto wav = Call("audio.encode", LogicalType::Audio(), Ramp(10, 8000));
  EXPECT_TRUE(wav->As<Bytes>().view().starts_with("RIFF"));
  EXPECT_TRUE(Call("audio.encode", LogicalType::Audio(), Ramp(10, 8000), {{"format", "FLAC"}})
                  ->As<Bytes>()
                  .view()
                  .starts_with("fLaC"));
  EXPECT_TRUE(Call("audio.encode", LogicalType::Audio(), Ramp(10, 8000), {{"format", "ogg"}})
                  ->As<Bytes>()
                  .view()
                  .starts_with("OggS"));
  const auto mp3 = Call("audio.encode", LogicalType::Audio(), Ramp(10, 8000), {{"format", "mp3"}});
  EXPECT_EQ(ClassOf(mp3.status()), ErrorClass::kJob);
  EXPECT_NE(mp3.status().message().find("wav, flac, ogg"), std::string::npos) << mp3.status();
}

TEST_F(AudioFunctions, SilenceIsAListOfSpans) {
  Waveform quiet = Waveform::Allocate(100, 1, 1000).ValueOrDie();
  std::fill_n(quiet.mutable_data(), 100, 0.0F);
  const auto spans = Call("audio.silence_detection", LogicalType::Audio(), quiet, {{"threshold_db", -50}});
  ASSERT_TRUE(spans.ok()) << spans.status();
  ASSERT_EQ(spans->As<ListValue>().items.size(), 1);
  const auto& fields = spans->As<ListValue>().items[0].As<StructValue>().fields;
  EXPECT_EQ(fields[0].As<int64_t>(), 0);
  EXPECT_EQ(fields[1].As<int64_t>(), 100);
  EXPECT_EQ(fields[2].As<int64_t>(), 100);
  EXPECT_EQ(ClassOf(Call("audio.silence_detection", LogicalType::Audio(), quiet, {{"threshold_db", 1}}).status()),
            ErrorClass::kJob);
}

TEST_F(AudioFunctions, ConcatUndoesSplit) {
  const Value whole = Ramp(2500, 1000);
  const auto parts = Rows(LogicalType::Audio(), whole, {{"segment_duration_ms", 1000}});
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->size(), 3);
  const auto& last = (*parts)[2].As<Waveform>();
  EXPECT_EQ(last.frames, 500);
  EXPECT_EQ(last.start_time_ms, 2000);
  EXPECT_EQ(last.end_time_ms, 2500);
  ListValue list{*parts};
  list.items.insert(list.items.begin() + 1, Value());
  const auto joined = Call("audio.concat", LogicalType::List(LogicalType::Audio()), Value(list));
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(SamplesOf(*joined), SamplesOf(whole));
  EXPECT_TRUE(Call("audio.concat", LogicalType::List(LogicalType::Audio()), Value(ListValue{}))->is_null());
  EXPECT_EQ(ClassOf(Call("audio.concat", LogicalType::List(LogicalType::Int64()), Value(ListValue{})).status()),
            ErrorClass::kJob);
}

TEST_F(AudioFunctions, SplitTilesTheSoundAtAnyRate) {
  // 44.1 kHz has no whole frames in 7 ms: the parts still add up.
  const Value whole = Ramp(4321, 44100);
  const auto parts = Rows(LogicalType::Audio(), whole, {{"segment_duration_ms", 7}});
  ASSERT_TRUE(parts.ok()) << parts.status();
  std::vector<float> joined;
  for (const Value& part : *parts) {
    const std::vector<float> samples = SamplesOf(part);
    joined.insert(joined.end(), samples.begin(), samples.end());
  }
  EXPECT_EQ(parts->size(), 14);  // 97.98 ms
  EXPECT_EQ(joined, SamplesOf(whole));
  const auto many = Rows(LogicalType::Audio(), whole, {{"segment_duration_ms", 7}, {"max_segments", 13}});
  EXPECT_EQ(ClassOf(many.status()), ErrorClass::kRow);
  EXPECT_TRUE(Rows(LogicalType::Audio(), Ramp(0, 44100), {{"segment_duration_ms", 7}})->empty());
}

TEST_F(AudioFunctions, SplitByReferenceReadsTheHeaderOnly) {
  const std::string path = TestdataPath("mono16kfloat.wav");  // 125 ms
  const Given given = {{"segment_duration_ms", 50}, {"segment_type", "ref"}};
  const auto parts = Rows(LogicalType::String(), Value(path), given);
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->size(), 3);
  EXPECT_EQ((*parts)[1].As<MediaClip>().uri, path);
  EXPECT_EQ((*parts)[1].As<MediaClip>().start_time_ms, 50);
  EXPECT_EQ((*parts)[1].As<MediaClip>().end_time_ms, 100);
  EXPECT_EQ((*parts)[2].As<MediaClip>().end_time_ms, 125);
  const auto of_clip =
      Rows(LogicalType::AudioClip(), MediaClip{.uri = path, .start_time_ms = 30, .end_time_ms = 95}, given);
  ASSERT_TRUE(of_clip.ok()) << of_clip.status();
  ASSERT_EQ(of_clip->size(), 2);
  EXPECT_EQ((*of_clip)[0].As<MediaClip>().start_time_ms, 30);
  EXPECT_EQ((*of_clip)[1].As<MediaClip>().end_time_ms, 95);
}

TEST_F(AudioFunctions, SplitRefusesWhatCannotBeSplitThatWay) {
  const Given audio = {{"segment_duration_ms", 50}};
  const Given ref = {{"segment_duration_ms", 50}, {"segment_type", "ref"}};
  EXPECT_EQ(ClassOf(Rows(LogicalType::String(), Value(std::string("a.wav")), audio).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(Rows(LogicalType::Audio(), Ramp(1, 8000), ref).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(Rows(LogicalType::Binary(), Encoded("mono44k.wav"), ref).status()), ErrorClass::kJob);
  const auto part = Rows(LogicalType::File(), FileReference{.uri = TestdataPath("mono44k.wav"), .offset = 3}, ref);
  EXPECT_EQ(ClassOf(part.status()), ErrorClass::kRow);
}

}  // namespace
}  // namespace mainstem
