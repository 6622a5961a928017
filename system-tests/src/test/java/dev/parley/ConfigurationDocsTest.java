package dev.parley;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.JavaAnnotation;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `docs/configuration.md` names every setting of every service with its default, and no other.
class ConfigurationDocsTest {

  private static final String CONFIG = "io.smallrye.config.";

  private static final Pattern ROW =
      Pattern.compile("\\| `([A-Z0-9_]+)` \\| `([a-z0-9.-]+)` \\| (?:`([^`]*)`)? ?\\| (\\S.*) \\|");

  @ParameterizedTest
  @ValueSource(
      strings = {"kv-node", "backend-registry-service", "chat-service", "frontend", "demo-backend"})
  void everySettingIsDocumentedWithItsDefault(String module) throws IOException {
    assertEquals(String.join("\n", declared(module).values()), documented(module));
  }

  private static TreeMap<String, String> declared(String module) {
    JavaClasses classes =
        new ClassFileImporter().importPath(Path.of("..", module, "target", "classes"));
    TreeMap<String, String> rows = new TreeMap<>();
    for (JavaClass type : classes) {
      annotation(type.getAnnotations(), "ConfigMapping")
          .ifPresent(mapping -> collect(type, mapping.get("prefix").orElseThrow() + ".", rows));
    }
    return rows;
  }

  private static void collect(JavaClass type, String prefix, TreeMap<String, String> rows) {
    for (JavaMethod method : type.getMethods()) {
      String name =
          annotation(method.getAnnotations(), "WithName")
              .map(with -> (String) with.get("value").orElseThrow())
              .orElseGet(() -> kebab(method.getName()));
      JavaClass result = method.getRawReturnType();
      if (result.getEnclosingClass().filter(type::equals).isPresent() && result.isInterface()) {
        collect(result, prefix + name + ".", rows);
      } else {
        String key = prefix + name;
        Optional<String> value =
            annotation(method.getAnnotations(), "WithDefault")
                .map(with -> (String) with.get("value").orElseThrow());
        rows.put(key, row(environment(key), key, value.orElse(null)));
      }
    }
  }

  private static String documented(String module) throws IOException {
    String page = Files.readString(Path.of("../docs/configuration.md"));
    int begin = page.indexOf("\n## " + module + "\n");
    int end = page.indexOf("\n## ", begin + 1);
    Matcher matcher = ROW.matcher(page.substring(begin, end < 0 ? page.length() : end));
    TreeMap<String, String> rows = new TreeMap<>();
    while (matcher.find()) {
      rows.put(matcher.group(2), row(matcher.group(1), matcher.group(2), matcher.group(3)));
    }
    return String.join("\n", rows.values());
  }

  private static String row(String environment, String key, String value) {
    return environment + " " + key + (value == null ? "" : " = " + value);
  }

  private static Optional<? extends JavaAnnotation<?>> annotation(
      Iterable<? extends JavaAnnotation<?>> annotations, String simpleName) {
    for (JavaAnnotation<?> annotation : annotations) {
      if (annotation.getRawType().getName().equals(CONFIG + simpleName)) {
        return Optional.of(annotation);
      }
    }
    return Optional.empty();
  }

  private static String kebab(String name) {
    return name.replaceAll("([a-z0-9])([A-Z])", "$1-$2").toLowerCase(Locale.ROOT);
  }

  private static String environment(String key) {
    return key.toUpperCase(Locale.ROOT).replaceAll("[^A-Z0-9]", "_");
  }
}
