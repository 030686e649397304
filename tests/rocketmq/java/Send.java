import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.CloudEvent;
import io.cloudevents.CloudEventData;
import io.cloudevents.SpecVersion;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.core.format.EventFormat;
import io.cloudevents.core.message.MessageWriter;
import io.cloudevents.rw.CloudEventContextWriter;
import io.cloudevents.rw.CloudEventWriter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.rocketmq.client.apis.ClientConfiguration;
import org.apache.rocketmq.client.apis.ClientServiceProvider;
import org.apache.rocketmq.client.apis.message.Message;
import org.apache.rocketmq.client.apis.message.MessageBuilder;
import org.apache.rocketmq.client.apis.producer.Producer;

/**
 * Sends events with the official Java client and the CloudEvents SDK: one for each line of its input, a JSON
 * object that says what is in it and in which mode it goes. Prints the id of each message.
 */
public final class Send {
    private static final ClientServiceProvider PROVIDER = ClientServiceProvider.loadService();

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        ClientConfiguration configuration = ClientConfiguration.newBuilder()
            .setEndpoints(arguments[0])
            .enableSsl(false)
            .build();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Producer producer =
            PROVIDER.newProducerBuilder().setClientConfiguration(configuration).setTopics(topic).build()) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                System.out.println(producer.send(message(topic, new ObjectMapper().readTree(line))).getMessageId());
            }
        }
        System.exit(0);
    }

    private static Message message(String topic, JsonNode given) throws IOException {
        Writer writer = new Writer(topic);
        CloudEvent event = event(given);
        return given.get("structured").asBoolean()
            ? writer.writeStructured(event, "application/cloudevents+json")
            : writer.writeBinary(event);
    }

    private static CloudEvent event(JsonNode given) throws IOException {
        CloudEventBuilder builder = CloudEventBuilder.v1()
            .withId(given.get("id").asText())
            .withSource(URI.create(given.get("source").asText()))
            .withType(given.get("type").asText());
        if (given.has("subject")) {
            builder.withSubject(given.get("subject").asText());
        }
        if (given.has("time")) {
            builder.withTime(OffsetDateTime.parse(given.get("time").asText()));
        }
        if (given.has("dataschema")) {
            builder.withDataSchema(URI.create(given.get("dataschema").asText()));
        }
        if (given.has("data")) {
            builder.withData(given.get("datacontenttype").asText(), given.get("data").binaryValue());
        }
        for (Iterator<Map.Entry<String, JsonNode>> each = given.get("extensions").fields(); each.hasNext(); ) {
            Map.Entry<String, JsonNode> extension = each.next();
            JsonNode value = extension.getValue();
            if (value.isBoolean()) {
                builder.withExtension(extension.getKey(), value.asBoolean());
            } else if (value.isInt()) {
                builder.withExtension(extension.getKey(), value.asInt());
            } else {
                builder.withExtension(extension.getKey(), value.asText());
            }
        }
        return builder.build();
    }

    /** Lays events out as the SDK's module for RocketMQ does: extensions go under their own names. */
    private static final class Writer
        implements MessageWriter<CloudEventWriter<Message>, Message>, CloudEventWriter<Message> {
        private static final Set<String> CORE =
            Set.of("specversion", "id", "source", "type", "subject", "time", "dataschema");
        private final MessageBuilder builder = PROVIDER.newMessageBuilder();
        private final Map<String, String> properties = new TreeMap<>();

        Writer(String topic) {
            builder.setTopic(topic);
        }

        @Override
        public CloudEventWriter<Message> create(SpecVersion version) {
            return put("CE_specversion", version.toString());
        }

        @Override
        public CloudEventContextWriter withContextAttribute(String name, String value) {
            if (name.equals("datacontenttype")) {
                return put("CE_contenttype", value);
            }
            return put(CORE.contains(name) ? "CE_" + name : name, value);
        }

        @Override
        public Message end(CloudEventData data) {
            return built(data.toBytes());
        }

        @Override
        public Message end() {
            // RocketMQ takes no empty body.
            return built(new byte[] {0});
        }

        @Override
        public Message setEvent(EventFormat format, byte[] value) {
            put("CE_contenttype", format.serializedContentType());
            return built(value);
        }

        private Writer put(String name, String value) {
            properties.put(name, value);
            return this;
        }

        private Message built(byte[] body) {
            builder.setBody(body);
            properties.forEach(builder::addProperty);
            return builder.build();
        }
    }
}
