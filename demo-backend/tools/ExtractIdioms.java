import com.hankcs.hanlp.HanLP;
import com.hankcs.hanlp.dictionary.CoreDictionary;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Makes idioms.tsv: the four-character words of jieba's dictionary that it or HanLP's dictionary
/// tags as idioms, with HanLP's readings. Run by extract-idioms.sh, by hand, when a source changes; not part of the build.
///
/// A line is: idiom, frequency in jieba's corpus, reading, and `*` if HanLP's dictionary or the list
/// of corrections calls it an idiom (these are the ones the game plays first).
class ExtractIdioms {
  private static final int LENGTH = 4;

  public static void main(String[] args) throws Exception {
    Map<String, String> corrections = new HashMap<>();
    for (String line : Files.readAllLines(Path.of(args[1]))) {
      if (!line.isBlank() && !line.startsWith("#")) {
        String[] columns = line.split("\t");
        corrections.put(columns[0], columns[1]);
      }
    }
    List<String> lines = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of(args[0]))) {
      String[] columns = line.split(" ");
      String word = columns[0];
      if (!word.matches("\\p{IsHan}{" + LENGTH + "}")) {
        continue;
      }
      CoreDictionary.Attribute known = CoreDictionary.get(word);
      boolean confirmed = known != null && known.toString().matches("(.* )?i .*");
      String correction = corrections.remove(word);
      boolean idiom = columns[2].equals("i") || confirmed || correction != null;
      if (!idiom || "-".equals(correction)) {
        continue;
      }
      String reading =
          correction != null
              ? correction
              : HanLP.convertToPinyinList(word).stream()
                  .map(pinyin -> pinyin.getPinyinWithToneMark())
                  .collect(Collectors.joining(" "));
      if (reading.split(" ").length != LENGTH || reading.contains("none")) {
        System.err.println("no reading, left out: " + word + " " + reading);
        continue;
      }
      boolean familiar = confirmed || !columns[2].equals("i");
      lines.add(word + "\t" + columns[1] + "\t" + reading + "\t" + (familiar ? "*" : ""));
    }
    if (!corrections.isEmpty()) {
      throw new IllegalStateException("corrections without a word of jieba: " + corrections);
    }
    lines.sort(null);
    var out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    lines.forEach(line -> out.print(line + "\n"));
    out.flush();
  }
}
