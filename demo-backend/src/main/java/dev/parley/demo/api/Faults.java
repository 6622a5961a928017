package dev.parley.demo.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import dev.parley.demo.fault.FaultSettings;
import dev.parley.demo.fault.StandingFaults;
import io.vertx.core.http.HttpServerRequest;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.Map;
import org.jboss.logging.Logger;

/// `/faults`: shows, sets and clears the standing faults.
@ApplicationScoped
class Faults {
  private static final Logger LOG = Logger.getLogger(Faults.class);
  private static final TypeReference<Map<String, Object>> OBJECT = new TypeReference<>() {};

  private final StandingFaults standing = new StandingFaults(System::nanoTime);
  private final Bodies bodies;

  Faults(Bodies bodies) {
    this.bodies = bodies;
  }

  StandingFaults standing() {
    return standing;
  }

  static FaultSettings parse(String json) throws JsonProcessingException, FaultSettings.BadKnob {
    Map<String, Object> knobs = Http.JSON.readValue(json, OBJECT);
    return FaultSettings.read(knobs == null ? Map.of() : knobs);
  }

  void show(HttpServerRequest request) {
    request.resume();
    Http.json(request, 200, Http.JSON.valueToTree(standing.show()));
  }

  void change(HttpServerRequest request) {
    bodies.read(
        request,
        (body, release) -> {
          release.run();
          try {
            standing.change(parse(body.toString()));
            LOG.infof("faults are now %s", standing.show());
            Http.json(request, 200, Http.JSON.valueToTree(standing.show()));
          } catch (FaultSettings.BadKnob e) {
            Http.error(request, ApiError.invalid(e.reason(), e.knob()));
          } catch (JsonProcessingException e) {
            Http.error(
                request,
                ApiError.invalid("The body is not a JSON object: " + e.getOriginalMessage(), null));
          }
        },
        error -> Http.error(request, error));
  }

  void clear(HttpServerRequest request) {
    request.resume();
    standing.clear();
    LOG.info("faults are cleared");
    request.response().setStatusCode(204).end();
  }
}
