package schemas

// CatalogSkus is the product catalogue's SKUs.
var CatalogSkus = &Table{
	Name: "catalog_skus", Version: 1,
	Doc:   "Product catalogue: SKUs with their display names, from Microsoft's list of product names and service plan identifiers.",
	Grain: "SKU",
	Key:   []string{"sku_id"},
	Fields: []Field{
		{ID: 1, Name: "sku_id", Kind: UUID, Required: true, Doc: "SKU (the list's GUID column). Computed by the catalogue."},
		{ID: 2, Name: "sku_part_number", Kind: String, Required: true, Doc: "Part number (String_Id). Computed by the catalogue."},
		{ID: 3, Name: "product_name", Kind: String, Required: true, Doc: "Display name (Product_Display_Name). Computed by the catalogue."},
	},
}

// CatalogServicePlans is the product catalogue's plans per SKU.
var CatalogServicePlans = &Table{
	Name: "catalog_service_plans", Version: 1,
	Doc:   "Product catalogue: service plans of each SKU and the service each entitles.",
	Grain: "SKU x service plan x service; one row with a null service for a plan that entitles none of the eleven services",
	Key:   []string{"sku_id", "service_plan_id", "service"},
	Fields: []Field{
		{ID: 1, Name: "sku_id", Kind: UUID, Dict: true, Required: true, Doc: "SKU. Computed by the catalogue."},
		{ID: 2, Name: "service_plan_id", Kind: UUID, Dict: true, Required: true, Doc: "Service plan (Service_Plan_Id). Computed by the catalogue."},
		{ID: 3, Name: "service_plan_name", Kind: String, Dict: true, Required: true, Doc: "Name of the plan (Service_Plan_Name). Computed by the catalogue."},
		{ID: 4, Name: "service_plan_friendly_name", Kind: String, Dict: true, Doc: "Friendly name (Service_Plans_Included_Friendly_Names). Computed by the catalogue."},
		{ID: 5, Name: "service", Kind: String, Dict: true, Doc: "One of the eleven services the plan entitles; null for none. Computed by the service map."},
	},
}
