"""Files of PASCAL VOC and of another tool."""

# This is VOCdevkit/VOC2012/Annotations/2007_000032.xml, as released.
VOC2012 = """<annotation>
	<folder>VOC2012</folder>
	<filename>2007_000032.jpg</filename>
	<source>
		<database>The VOC2007 Database</database>
		<annotation>PASCAL VOC2007</annotation>
		<image>flickr</image>
	</source>
	<size>
		<width>500</width>
		<height>281</height>
		<depth>3</depth>
	</size>
	<segmented>1</segmented>
	<object>
		<name>aeroplane</name>
		<pose>Frontal</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>104</xmin>
			<ymin>78</ymin>
			<xmax>375</xmax>
			<ymax>183</ymax>
		</bndbox>
	</object>
	<object>
		<name>aeroplane</name>
		<pose>Left</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>133</xmin>
			<ymin>88</ymin>
			<xmax>197</xmax>
			<ymax>123</ymax>
		</bndbox>
	</object>
	<object>
		<name>person</name>
		<pose>Rear</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>195</xmin>
			<ymin>180</ymin>
			<xmax>213</xmax>
			<ymax>229</ymax>
		</bndbox>
	</object>
	<object>
		<name>person</name>
		<pose>Rear</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>26</xmin>
			<ymin>189</ymin>
			<xmax>44</xmax>
			<ymax>238</ymax>
		</bndbox>
	</object>
</annotation>
"""

# This is 2008_003483.xml of VOC2012, shortened and with `difficult` set. It has
# fractions and the parts of the layout task.
LAYOUT = """<annotation>
	<folder>VOC2008</folder>
	<filename>2008_003483.jpg</filename>
	<owner><flickrid>n/a</flickrid><name>n/a</name></owner>
	<size><width>500</width><height>500</height><depth>3</depth></size>
	<segmented>0</segmented>
	<object>
		<name>person</name>
		<pose>Frontal</pose>
		<truncated>0</truncated>
		<occluded>0</occluded>
		<bndbox>
			<xmin>304.1916</xmin>
			<ymin>118.2635</ymin>
			<xmax>482.0359</xmax>
			<ymax>500</ymax>
		</bndbox>
		<difficult>1</difficult>
		<part>
			<name>head</name>
			<bndbox>
				<xmin>391.1026</xmin>
				<ymin>120.3603</ymin>
				<xmax>433.1332</xmax>
				<ymax>171.6703</ymax>
			</bndbox>
		</part>
	</object>
</annotation>
"""

# pascal-voc-writer 0.1.4 writes this for Writer('path/to/img.jpg', 800, 598) and
# addObject('cat', 100, 100, 200, 200), apart from the absolute path.
WRITER = """<annotation>
    <folder>to</folder>
    <filename>img.jpg</filename>
    <path>path/to/img.jpg</path>
    <source>
        <database>Unknown</database>
    </source>
    <size>
        <width>800</width>
        <height>598</height>
        <depth>3</depth>
    </size>
    <segmented>0</segmented>
    <object>
        <name>cat</name>
        <pose>Unspecified</pose>
        <truncated>0</truncated>
        <difficult>0</difficult>
        <bndbox>
            <xmin>100</xmin>
            <ymin>100</ymin>
            <xmax>200</xmax>
            <ymax>200</ymax>
        </bndbox>
    </object>
</annotation>"""
