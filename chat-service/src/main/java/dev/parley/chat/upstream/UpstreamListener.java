package dev.parley.chat.upstream;

import dev.parley.chat.openai.StreamChunk;
import dev.parley.chat.openai.UpstreamFailure;

/// Hears what one upstream call brings. All calls come from one thread; exactly one of
/// [#completed] and [#failed] comes last, and none of them after a cancel.
public interface UpstreamListener {

  /// A part of a streamed answer.
  void part(StreamChunk.Part part);

  /// The answer is complete.
  ///
  /// @param body of an answer that is not streamed; empty for a stream
  /// @param contentType of that body
  void completed(byte[] body, String contentType);

  void failed(UpstreamFailure failure);
}
