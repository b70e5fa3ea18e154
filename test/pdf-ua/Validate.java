import java.io.File;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Prints what breaks PDF/UA-1 in each file, and how much was checked. */
public class Validate {
  public static void main(String[] files) throws Exception {
    VeraGreenfieldFoundryProvider.initialise();
    for (String file : files)
      try (PDFAParser parser = Foundries.defaultInstance().createParser(new File(file), PDFAFlavour.PDFUA_1)) {
        ValidationResult result =
            Foundries.defaultInstance().createValidator(PDFAFlavour.PDFUA_1, false).validate(parser);
        for (TestAssertion failed : result.getTestAssertions())
          System.out.println("ERROR\t" + file + "\t" + failed.getRuleId().getClause() + "\t" + failed.getMessage());
        System.out.println("checked\t" + file + "\t" + result.getTotalAssertions());
      }
  }
}
