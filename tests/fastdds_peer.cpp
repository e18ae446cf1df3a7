// A subscriber of Fast DDS, ROS 2's usual middleware: prints each message's topic and bytes in hex.
// Usage: fastdds_peer DOMAIN; builds with -lfastrtps (Debian's libfastrtps-dev).
#include <cstdio>
#include <cstdlib>
#include <unistd.h>
#include <vector>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TypeSupport.hpp>
#include <fastdds/rtps/transport/UDPv4TransportDescriptor.h>

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::rtps::InstanceHandle_t;
using eprosima::fastrtps::rtps::SerializedPayload_t;
using Bytes = std::vector<unsigned char>;

// A type of which only the name is known; its messages stay bytes.
struct Raw : TopicDataType {
  explicit Raw(const char *name) { setName(name); m_typeSize = 4096; m_isGetKeyDefined = false; }
  bool serialize(void *, SerializedPayload_t *) override { return false; }
  bool deserialize(SerializedPayload_t *payload, void *data) override {
    static_cast<Bytes *>(data)->assign(payload->data, payload->data + payload->length);
    return true;
  }
  std::function<uint32_t()> getSerializedSizeProvider(void *) override { return [] { return 4096u; }; }
  void *createData() override { return new Bytes; }
  void deleteData(void *data) override { delete static_cast<Bytes *>(data); }
  bool getKey(void *, InstanceHandle_t *, bool) override { return false; }
};

int main(int, char **arguments) {
  DomainParticipantQos loopback;
  auto udp = std::make_shared<eprosima::fastdds::rtps::UDPv4TransportDescriptor>();
  udp->interfaceWhiteList.push_back("127.0.0.1");
  loopback.transport().use_builtin_transports = false;
  loopback.transport().user_transports.push_back(udp);
  auto *participant = DomainParticipantFactory::get_instance()->create_participant(
      std::atoi(arguments[1]), loopback);
  auto *subscriber = participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT);
  DataReaderQos qos;
  qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
  qos.history().depth = 1000;
  const char *topics[][2] = {
      {"rt/humans/voices/ear/expression", "hri_msgs::msg::dds_::Expression_"},
      {"rt/humans/voices/ear/is_speaking", "std_msgs::msg::dds_::Bool_"},
      {"rt/humans/voices/tracked", "hri_msgs::msg::dds_::IdsList_"}};
  std::vector<DataReader *> readers;
  for (auto &[name, type] : topics) {
    TypeSupport(new Raw(type)).register_type(participant);
    auto *topic = participant->create_topic(name, type, TOPIC_QOS_DEFAULT);
    readers.push_back(subscriber->create_datareader(topic, qos));
  }
  std::puts("ready");
  std::fflush(stdout);
  for (;; usleep(10000)) {
    for (size_t at = 0; at < readers.size(); ++at) {
      Bytes bytes;
      SampleInfo info;
      while (readers[at]->take_next_sample(&bytes, &info) ==
             eprosima::fastrtps::types::ReturnCode_t::RETCODE_OK) {
        if (!info.valid_data) continue;
        std::printf("%s ", topics[at][0]);
        for (auto byte : bytes) std::printf("%02x", byte);
        std::puts("");
        std::fflush(stdout);
      }
    }
  }
}
